"""Mage itself tells of a trigger's run that failed for good, by the settings of .env."""

from datetime import datetime, timezone

import yaml
from jinja2 import Template

from data.medallion.host.envfile import PROJECT
from sandbox.breweries.api import LocalBreweryApi
from sandbox.faults import Faults
from tests.monitoring.servers import Messages
from tests.page.web import web
from tests.waiting import wait_for

METADATA = (PROJECT / "metadata.yaml").read_text(encoding="utf-8")


def rendered(**settings):
    """The project's file as Mage reads it."""
    return yaml.safe_load(Template(METADATA).render(env_var=settings.get))["notification_config"]


def test_nothing_set_is_nobody_told():
    assert rendered().keys() == {"alert_on", "message_templates"}


def test_what_is_set_is_taken_as_it_is():
    odd = "a'b\"c\\d: #e"
    told = rendered(
        ALERT_SLACK_URL="http://127.0.0.1/x",
        ALERT_EMAIL_TO="a@example.org, b@example.org",
        ALERT_SMTP_HOST="mail",
        ALERT_SMTP_PASSWORD=odd,
    )
    assert told["slack_config"]["webhook_url"] == "http://127.0.0.1/x"
    assert told["email_config"]["smtp_password"] == odd
    assert told["email_config"]["to_emails"] == ["a@example.org, b@example.org"]


def test_the_file_is_yaml_before_it_is_filled_in():
    """Mage's page reads and writes it so when a setting is changed there."""
    assert yaml.safe_load(METADATA)["notification_config"]["slack_config"]


def test_a_run_that_is_late_or_failed_for_good_is_told_of(tmp_path):
    """The first run is late at once: it was due at midnight."""
    titles = ["Failed to run Mage pipeline breweries", "Late: Mage pipeline breweries"]
    if datetime.now(timezone.utc).hour < 2:  # the `sla` of its trigger
        titles.pop()
    with (
        Messages() as messages,
        LocalBreweryApi([], faults=Faults(rate_limit=0)) as api,
        web(tmp_path, api, env="prod", **messages.settings),
    ):
        wait_for(lambda: sorted(slack_titles(messages)) == titles)
        wait_for(lambda: sorted(mail["Subject"] for mail in messages.mails) == titles)
    assert "Failed blocks: extract_breweries_data" in str(messages.posts["/slack"])


def slack_titles(messages):
    return [post["blocks"][0]["text"]["text"] for post in messages.posts["/slack"]]
