"""Who is told of what, by the real Alertmanager: ways that are set, routes, and silences."""

import re
import subprocess
import time

import pytest
import requests
import yaml

from compose import alerts, monitoring
from data.medallion.lake.datasets import LAYERS
from tests.monitoring.servers import (
    SECRETS,
    SHIPPED,
    Messages,
    alertmanager,
    settings_of,
    write_alertmanager,
)
from tests.programs import needs_prometheus
from tests.waiting import wait_for

pytestmark = needs_prometheus

ALL = settings_of("http://127.0.0.1:9", 25)
WAYS = {
    "none": ({}, set()),
    "Slack": ({"ALERT_SLACK_URL": ALL["ALERT_SLACK_URL"]}, {"slack_configs"}),
    "a gateway": ({"ALERT_WEBHOOK_URL": ALL["ALERT_WEBHOOK_URL"]}, {"webhook_configs"}),
    "mail": ({k: v for k, v in ALL.items() if "MAIL" in k or "SMTP" in k}, {"email_configs"}),
    "mail with a password": (
        {**ALL, "ALERT_SMTP_USER": "me", "ALERT_SMTP_PASSWORD": "canary", "ALERT_SLACK_URL": ""},
        {"email_configs", "webhook_configs"},
    ),
    "all": (ALL, {"slack_configs", "email_configs", "webhook_configs"}),
}
CONFIGURATION = SHIPPED / "alertmanager" / "alertmanager.yml"
BASE = yaml.safe_load(CONFIGURATION.read_text())


def amtool(*arguments):
    return subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("ways", WAYS)
def test_what_is_not_set_is_left_out(tmp_path, ways):
    settings, expected = WAYS[ways]
    file = write_alertmanager(tmp_path, **settings)
    done = amtool("check-config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    receivers = yaml.safe_load(file.read_text())["receivers"]
    assert {way for receiver in receivers for way in receiver} == {"name", *expected}


@pytest.mark.parametrize("name", monitoring.PROXIES)
def test_it_asks_slack_and_the_gateway_through_the_proxy_of_its_environment(name):
    """What Debian's amtool does not know yet is left out where there is none."""
    told = monitoring.alertmanager(BASE, {**ALL, name: "http://proxy.example:3128"})["global"]
    assert told == {**BASE["global"], "http_config": {"proxy_from_environment": True}}
    assert monitoring.alertmanager(BASE, {**ALL, name: ""})["global"] == BASE["global"]


def test_secrets_are_files_of_their_owner_alone(tmp_path):
    settings = {**ALL, "ALERT_SMTP_USER": "me", "ALERT_SMTP_PASSWORD": "canary"}
    text = write_alertmanager(tmp_path, **settings).read_text()
    assert "canary" not in text and ALL["ALERT_SLACK_URL"] not in text
    assert (tmp_path / "smtp_password").read_text() == "canary"
    assert (tmp_path / "slack_url").read_text() == ALL["ALERT_SLACK_URL"]
    write_alertmanager(tmp_path, **settings)  # a second start
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o400}


def test_every_path_of_a_secret_is_absolute_and_written():
    named = set(re.findall(r"(?:_file: |: (?=/))(\S+)", CONFIGURATION.read_text()))
    assert named == {f"/run/monitoring/{name}" for name in ("slack_url", "smtp_password")}
    written = monitoring.files(BASE, SECRETS)
    assert {name.removeprefix("/run/monitoring/") for name in named} <= written.keys()


def unusable(settings):
    return [*monitoring.unusable(settings), *alerts.unusable(settings)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"GRAFANA_PASSWORD": ""}, "GRAFANA_PASSWORD is required and not set"),
        ({"MINIO_READER_SECRET_KEY": "short"}, "MINIO_READER_SECRET_KEY has 5 characters"),
        ({"MINIO_ACCESS_KEY": SECRETS["MINIO_READER_ACCESS_KEY"]}, "is the store's own key"),
        ({"ALERT_EMAIL_TO": "a@example.org"}, "ALERT_EMAIL_FROM is not"),
        ({**ALL, "ALERT_SMTP_HOST": "example.org:25"}, "ALERT_SMTP_HOST holds a colon"),
        ({**ALL, "ALERT_SMTP_PORT": "smtp"}, "ALERT_SMTP_PORT is no number"),
        ({**ALL, "ALERT_SMTP_USER": "me"}, "ALERT_SMTP_PASSWORD is not"),
        ({"ALERT_SLACK_URL": "hooks.slack.com/x"}, "ALERT_SLACK_URL does not begin with https://"),
        ({"ALERT_WEBHOOK_URL": "https:///x"}, "ALERT_WEBHOOK_URL does not begin with https://"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings, said):
    assert not unusable({**SECRETS, **ALL})
    assert any(said in sentence for sentence in unusable({**SECRETS, **settings}))


@pytest.mark.parametrize(
    ("severity", "receivers"), [("critical", "gateway,messages"), ("warning", "messages")]
)
def test_each_severity_has_its_receivers(severity, receivers):
    chosen = (f"--config.file={CONFIGURATION}", f"severity={severity}")
    assert amtool("config", "routes", "test", *chosen).stdout.strip() == receivers


RULES = yaml.safe_load((SHIPPED / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
CRITICAL = {rule["alert"] for rule in RULES if rule["labels"]["severity"] == "critical"}
# What is told, and what follows from that.
SILENCES = {
    "the store is down": (
        "StoreDown",
        "LayerFailed breweries gold, StaleData breweries gold, MissedSchedule breweries",
    ),
    "the exporter is down": (
        "ExporterDown, MessagesLost",
        "LayerFailed breweries gold, VolumeFall breweries silver",
    ),
    "a layer failed, is behind and is stale": (
        "LayerFailed breweries gold, LayerBehind breweries silver, StaleData breweries silver",
        "LayerBehind breweries gold, StaleData breweries gold",
    ),
    "a layer cannot be read": (
        "LayerUnreadable breweries gold, VolumeFall breweries silver",
        "VolumeFall breweries gold",
    ),
    "nothing ran": (
        "MissedSchedule breweries, RejectedRows breweries silver",
        "StaleData breweries bronze, StaleData breweries silver, StaleData breweries gold",
    ),
    "of two datasets nothing of one ran, and the other failed and cannot be read": (
        "MissedSchedule breweries, LayerFailed stations bronze, LayerUnreadable stations silver, "
        "StaleData stations gold, VolumeFall breweries silver",
        "StaleData breweries bronze, StaleData stations bronze, StaleData breweries gold, "
        "VolumeFall stations silver",
    ),
    "the same layers of another dataset failed and cannot be read": (
        "LayerFailed breweries gold, LayerUnreadable breweries silver, "
        "StaleData stations gold, RejectedRows stations silver",
        "",
    ),
}


@pytest.fixture
def messages():
    with Messages() as messages:
        yield messages


@pytest.fixture
def tell(tmp_path, messages):
    with alertmanager(tmp_path, **messages.settings) as address:

        def post(alerts, **more):
            told = [{**sent(alert), **more} for alert in alerts.split(", ") if alert]
            requests.post(f"http://{address}/api/v2/alerts", json=told, timeout=5)

        yield post


@pytest.mark.parametrize("situation", SILENCES)
def test_what_follows_from_another_alert_is_not_told(tell, messages, situation):
    told, silenced = SILENCES[situation]
    tell(f"{told}, {silenced}")  # what inhibits first, as the inhibited must find it
    told = {*told.split(", ")}
    wait_for(lambda: texts(messages.titles["slack"]) == told, 30)
    time.sleep(2)
    assert texts(messages.titles["slack"]) == told == texts(messages.titles["mail"])


@pytest.mark.waits
def test_the_gateway_is_told_of_what_is_critical_and_lasts(tell, messages):
    begun = time.time()
    tell(
        "VolumeFall breweries silver, LayerUnreadable breweries gold, LayerFailed breweries bronze"
    )
    messages.told("FIRING: LayerFailed breweries bronze", begun, "slack", "mail")
    tell("LayerFailed breweries bronze", endsAt="2026-01-01T00:00:00Z")
    messages.told("RESOLVED: LayerFailed breweries bronze", begun, "slack", "mail")
    told = messages.told("FIRING: LayerUnreadable breweries gold", begun, "gateway")
    assert told["gateway"] >= 120
    time.sleep(30)
    assert messages.titles["gateway"] == ["FIRING: LayerUnreadable breweries gold"]


def test_one_message_for_what_one_layer_of_a_dataset_has_to_say(tell, messages):
    alerts = "VolumeFall breweries silver, RejectedRows breweries silver, "
    alerts += "SlowRun breweries gold, SlowRun stations gold"
    tell(alerts)
    wait_for(lambda: texts(messages.titles["mail"]) == {*alerts.split(", ")}, 30)
    assert sorted(len(title.split(";")) for title in messages.titles["mail"]) == [1, 1, 2]


def sent(alert):
    name, *rest = alert.split()
    severity = "critical" if name in CRITICAL else "warning"
    labels = {"alertname": name, "severity": severity}
    labels |= {"layer" if one in LAYERS else "dataset": one for one in rest}
    return {"labels": labels, "annotations": {"summary": alert}}


def texts(titles):
    return {text for title in titles for text in title.removeprefix("FIRING: ").split("; ")}
