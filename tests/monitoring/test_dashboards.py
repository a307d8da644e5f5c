"""Grafana's dashboards, as they are committed, hang together."""

import re

import pytest
import yaml

from tests.monitoring.boards import (
    BOARDS,
    GRAFANA,
    METRIC,
    OURS,
    ROOT,
    minio_metrics,
    panels,
    templates,
    variables,
)

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
RULES = yaml.safe_load((ROOT / "monitoring/prometheus/rules.yml").read_text(encoding="utf-8"))
ALERTS = {rule["alert"]: rule["expr"] for rule in RULES["groups"][0]["rules"]}


def provisioned(kind):
    (file,) = (GRAFANA / "provisioning" / kind).glob("*.yml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_found_by_its_own_fixed_name_and_marks_where_alerts_fire(name):
    board = BOARDS[name]
    assert board["uid"] == f"lake-{name}" and "id" not in board
    assert board["title"] and board["description"] and board["tags"] == ["lake"]
    assert not board["editable"]
    assert (board["time"], board["refresh"]) == ({"from": "now-7d", "to": "now"}, "1m")
    (annotation,) = board["annotations"]["list"]
    assert annotation["enable"] and annotation["target"]["expr"] == 'ALERTS{alertstate="firing"}'


def test_pages_ask_of_the_datasets_that_are_there_and_of_no_other():
    asked = {name: variables(name).get("dataset") for name in BOARDS}
    assert not asked.pop("store")
    for dataset in asked.values():
        assert dataset["query"] == "label_values(lake_layer_up, dataset)"
        assert dataset["refresh"] == 1, "a new dataset is there when the page is opened"
    assert asked["overview"]["multi"] and asked["overview"]["current"]["value"] == "$__all"
    assert not asked["layer"]["multi"] and not asked["layer"]["includeAll"]


@pytest.mark.parametrize("name", BOARDS)
def test_what_to_do_is_in_the_docs(name):
    for panel in panels(BOARDS[name]):
        text = panel["description"]
        sections = re.findall(r"'([A-Z][\w ]+)'", text)
        for section in sections:
            file = "reliability" if "reliability.md" in text else "monitoring"
            assert f"## {section}\n" in (ROOT / "docs" / f"{file}.md").read_text(encoding="utf-8")
        named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", text))
        assert named <= set(ALERTS), panel["title"]


def test_a_panel_turns_red_where_its_alert_fires():
    seen = set()
    for panel in (panel for board in BOARDS.values() for panel in panels(board)):
        told = panel["fieldConfig"]["defaults"]
        for alert in ALERTS.keys() & set(re.findall(r"\w+", panel["description"])):
            if told["unit"] == "percentunit":
                numbers = map(float, re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", ALERTS[alert]))
                assert told["thresholds"]["steps"][-1]["value"] in numbers, panel["title"]
                seen.add(alert)
    assert seen == {"StaleData", "RejectedRows", "VolumeFall"}


def test_zabbix_and_prometheus_draw_the_same_lines():
    template = yaml.safe_load((ROOT / "monitoring/zabbix/template.yaml").read_text())
    (lake,) = template["zabbix_export"]["templates"]
    macros = {macro["macro"]: macro["value"] for macro in lake["macros"]}
    turns = macros["{$LAKE.STALE.TURNS}"]
    assert f"> on(dataset) group_left() {turns} *" in ALERTS["StaleData"]
    assert f"< {macros['{$LAKE.KEPT}']} * max_over_time" in ALERTS["VolumeFall"]
    assert ALERTS["RejectedRows"].endswith(f"> {macros['{$LAKE.REJECTED}']}")


def test_there_is_one_data_source_and_all_name_it():
    (source,) = provisioned("datasources")["datasources"]
    reference = {"type": source["type"], "uid": source["uid"]}
    for board in BOARDS.values():
        for panel in panels(board):
            assert panel["datasource"] == reference
            assert all(target["datasource"] == reference for target in panel["targets"])
        assert [each["datasource"] for each in board["annotations"]["list"]] == [reference]
        for variable in board["templating"].get("list", []):
            assert variable.get("datasource", reference) == reference
    scraped = yaml.safe_load((ROOT / "monitoring/prometheus/prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in COMPOSE


@pytest.mark.parametrize("found", dict.fromkeys(templates()), ids=lambda found: found.place)
def test_what_is_asked_is_a_metric_of_the_chosen_datasets(found):
    asked = set(METRIC.findall(found.text))
    assert asked and asked <= OURS | minio_metrics() | {"ALERTS"}
    of_a_layer = r"\blake_(?:layer|run|drift)_\w+\b"
    assert not re.findall(of_a_layer + r"(?!{dataset=~\"\$dataset\",layer=)", found.text)


def test_links_lead_somewhere():
    ports = {"9817": "exporter", "9093": "alertmanager"}
    uids = {board["uid"] for board in BOARDS.values()}
    for board in BOARDS.values():
        assert board["links"][0]["tags"] == board["tags"]
        for url in re.findall(r"'url': '([^']+)'", str(board)):
            if url.startswith("/d/"):
                assert re.split(r"[/?]", url)[2] in uids
            else:
                (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)", url)
                assert ports[port] in COMPOSE


def test_the_stack_gives_grafana_what_it_is_told_of():
    (provider,) = provisioned("dashboards")["providers"]
    service = COMPOSE["grafana"]
    mounted = dict(volume.split(":")[:2][::-1] for volume in service["volumes"])
    assert mounted["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"
    assert mounted[provider["options"]["path"]] == "./monitoring/grafana/dashboards"
    home = service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    folder, _, file = home.rpartition("/")
    assert folder == provider["options"]["path"] and file == "overview.json"


def test_grafana_asks_nobody_outside_and_lets_nobody_in():
    told = COMPOSE["grafana"]["environment"]
    asks = ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES")
    off = {"GF_AUTH_ANONYMOUS_ENABLED", "GF_USERS_ALLOW_SIGN_UP", "GF_NEWS_NEWS_FEED_ENABLED"}
    off |= {f"GF_ANALYTICS_{name}" for name in asks}
    assert {told[name] for name in off} == {"false"}
    assert told["GF_SECURITY_DISABLE_GRAVATAR"] == "true"
    assert told["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"
    assert not any("PASSWORD" in name and not name.endswith("__FILE") for name in told)
