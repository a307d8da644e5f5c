"""The rules of Prometheus by `promtool test rules`: when each fires, resolves, and stays silent."""

import re
import subprocess
from typing import NamedTuple

import pytest
import yaml

from tests.docs.pages import ROOT, anchors
from tests.programs import needs_promtool

RULES_FILE = ROOT / "monitoring" / "prometheus" / "rules.yml"
RULES = {
    rule["alert"]: rule for rule in yaml.safe_load(RULES_FILE.read_text())["groups"][0]["rules"]
}
LAYERS = ("bronze", "silver", "gold")
BOTH = ONE, OTHER = "breweries", "stations"
LABELS = "alertname, dataset, layer"
DAY = "86400x9000"
# 15 samples an hour
SUCCESS = "layer_last_success_timestamp_seconds"
ERROR = "layer_last_error_timestamp_seconds"
ROWS, REJECTED, SECONDS = "run_output_rows", "run_rejected_rows", "run_duration_seconds"
INTERVAL = f'lake_schedule_interval_seconds{{dataset="{ONE}"}}'
UNOWNED = 'lake_unowned_error_logs{layer="silver"}'
LOST = 'alertmanager_notifications_failed_total{integration="slack"}'

pytestmark = needs_promtool


class Case(NamedTuple):
    """Series that differ from those of a healthy lake, and which alerts are expected when."""

    series: dict[str, str]
    expected: str
    """Moments, and what fires then: `45s; 1m AnAlert, OtherAlert breweries gold; 2m`."""
    evaluation: str = ""

    @property
    def interval(self) -> str:
        """Of samples: fewer of them where it takes hours."""
        return "4m" if re.search(r"\dh", self.expected) else "15s"

    @property
    def moments(self) -> dict[str, set[str]]:
        pairs = (moment.strip().partition(" ") for moment in self.expected.split(";"))
        return {time: {*alerts.split(", ")} - {""} for time, _, alerts in pairs}


def healthy(interval: str, datasets: tuple[str, ...]) -> dict[str, str]:
    """A lake of some datasets that are confirmed at every moment, as promtool writes series."""
    step = {"15s": 15, "4m": 240}[interval]
    found = {"lake_up": "1x9000", UNOWNED: "3x9000", LOST: "0x9000"}
    for dataset in datasets:
        found[INTERVAL.replace(ONE, dataset)] = DAY
        for layer in LAYERS:
            for name, values in {
                "layer_up": "1x9000",
                "layer_failed": "0x9000",
                "layer_behind": "0x9000",
                SUCCESS: f"0+{step}x9000",
                ERROR: "0x9000",
                "run_input_rows": "11800x9000",
                ROWS: "11800x9000",
                REJECTED: "0x9000",
                SECONDS: "2x9000",
            }.items():
                found[of(name, layer, dataset)] = values
    return found


def of(name: str, layer: str, dataset: str = ONE) -> str:
    return f'lake_{name}{{dataset="{dataset}",layer="{layer}"}}'


def all_layers(name: str, values: str, *datasets: str) -> dict[str, str]:
    return {of(name, layer, dataset): values for dataset in datasets or (ONE,) for layer in LAYERS}


GONE = all_layers(SUCCESS, "0x9000", *BOTH) | all_layers(ROWS, "0x9000", *BOTH)


def slow(values: str, hours: int, expected: str = "") -> Case:
    return Case({of(SECONDS, "silver"): values}, f"{hours}h {expected}", "30m")


SLOW = "SlowRun breweries silver"
FAILED = "LayerFailed breweries gold"
REJECTS = "RejectedRows breweries silver"
UNREADABLE, OTHER_UNREADABLE = (
    ", ".join(f"LayerUnreadable {dataset} {layer}" for layer in LAYERS) for dataset in BOTH
)
CASES = {
    "a healthy lake is silent": Case({}, "0; 5m; 30m"),
    "a healthy lake of two stays silent": Case({of("layer_up", "gold", OTHER): "1x9000"}, "40h"),
    "a layer fails and then succeeds": Case(
        {of("layer_failed", "gold"): "0x3 1x3 0x9000"}, f"45s; 1m {FAILED}; 2m"
    ),
    "a layer cannot be read for a while": Case(
        {of("layer_up", "silver"): "1x3 0x40 1x9000"},
        "5m45s; 6m LayerUnreadable breweries silver; 15m45s LayerUnreadable breweries silver;"
        "16m15s",
    ),
    "a layer stays behind, and then is not": Case(
        {of("layer_behind", "gold"): "0x3 1x60 0x9000"},
        "10m45s; 11m LayerBehind breweries gold; 20m45s LayerBehind breweries gold; 21m30s",
    ),
    "the store is down and back": Case(
        {"lake_up": "1x3 0x40 1x9000", **all_layers("layer_up", "1x3 0x40 1x9000", *BOTH)},
        "1m; 1m15s StoreDown; 10m StoreDown; 11m15s",
    ),
    "the store is down before it was ever read": Case(
        {"lake_up": "0x9000", **all_layers("layer_up", "0x9000", *BOTH), **GONE}, "40h StoreDown"
    ),
    "an exporter that is restarted is refused by the store": Case(
        {**all_layers("layer_up", "0x9000", *BOTH), **GONE}, f"40h {UNREADABLE}, {OTHER_UNREADABLE}"
    ),
    "the very first run fails": Case(
        all_layers(SUCCESS, "0x9000")
        | all_layers(ROWS, "0x9000")
        | {of("layer_failed", "bronze"): "1x9000", of(ERROR, "bronze"): "0+240x9000"},
        "40h LayerFailed breweries bronze",
    ),
    "the exporter is gone and back": Case(
        {
            name: f"{values.split('x')[0]}x3 stale _x10 0"
            for name, values in healthy("15s", BOTH).items()
        }
        | {"lake_up": "1x3 stale _x10 1x9000"},
        "1m45s; 2m ExporterDown; 3m45s",
    ),
    "an exporter that is restarted resolves nothing": Case(
        {
            name: f"{values.split('x')[0]}x20 stale _x4 {values.split('x')[0]}x9000"
            for name, values in healthy("15s", BOTH).items()
            if name != LOST
        }
        | {
            of("layer_failed", "gold"): "1x20 stale _x4 1x20 0x9000",
            of(REJECTED, "silver"): "119x20 stale _x4 119x9000",
        },
        f"5m {FAILED}, {REJECTS}; 5m30s {FAILED}, {REJECTS}; 6m30s {FAILED}, {REJECTS};"
        f"12m {REJECTS}",
    ),
    "an exporter that is restarted while the store is down does not say that it is back": Case(
        {"lake_up": "1x3 0x20 stale _x4 0x9000", **all_layers("layer_up", "1x3 0x9000", *BOTH)},
        "5m StoreDown; 6m30s StoreDown; 8m StoreDown",
    ),
    "messages are lost for once": Case(
        {LOST: "0x3 1x9000"}, "45s; 2m MessagesLost; 10m MessagesLost; 17m"
    ),
    "one layer is stale and then confirmed": Case(
        {of(SUCCESS, "gold"): "1x600 144000+240x9000"},
        "34h; 36h16m; 36h20m StaleData breweries gold; 37h StaleData breweries gold;"
        "40h4m StaleData breweries gold; 40h12m",
    ),
    "without a schedule nothing is stale or missed": Case(
        {INTERVAL: "0x9000", **all_layers(SUCCESS, "0x9000")}, "40h"
    ),
    "nothing ran, and then it did": Case(
        all_layers(SUCCESS, "0x384 92160+240x9000"),
        "25h12m; 25h20m MissedSchedule breweries; 25h44m MissedSchedule breweries; 25h52m",
    ),
    "a run that failed is no missed one": Case(
        {**all_layers(SUCCESS, "0x9000"), of(ERROR, "bronze"): "0+240x9000"}, "30h"
    ),
    "one of two datasets fails, and the other succeeds": Case(
        {of("layer_failed", "bronze", OTHER): "0x3 1x9000"},
        "45s; 1m LayerFailed stations bronze; 5m LayerFailed stations bronze",
    ),
    "of two datasets one is stale, and has no layer that is read in place of it": Case(
        {of(SUCCESS, "gold", OTHER): "1x9000", of("layer_up", "gold"): "0x9000"},
        "40h StaleData stations gold, LayerUnreadable breweries gold",
    ),
    "of two datasets one is not due as often": Case(
        {**all_layers(SUCCESS, "1x9000", OTHER), INTERVAL.replace(ONE, OTHER): "604800x9000"}, "40h"
    ),
    "of two datasets nothing of one ran, and of the other nothing can be read": Case(
        {**all_layers(SUCCESS, "0x9000"), **all_layers("layer_up", "0x9000", OTHER)},
        f"30h MissedSchedule breweries, {OTHER_UNREADABLE}",
    ),
    "a dataset that cannot be read is not known to have missed its schedule": Case(
        {**all_layers(SUCCESS, "0x9000", OTHER), **all_layers("layer_up", "0x9000", OTHER)},
        f"30h {OTHER_UNREADABLE}",
    ),
    "of two datasets one has fewer rows, and its layer can be read": Case(
        {of(ROWS, "silver", OTHER): "1000x30 890x9000", of("layer_up", "silver"): "0x9000"},
        "3h VolumeFall stations silver, LayerUnreadable breweries silver",
    ),
    "rows of a layer that cannot be read are unknown, though the other dataset's can be read": Case(
        {
            of(ROWS, "silver", OTHER): "1000x30 0x9000",
            of("layer_up", "silver", OTHER): "1x30 0x9000",
        },
        "3h LayerUnreadable stations silver",
    ),
    "an error log of no dataset comes, and stays": Case(
        {UNOWNED: "3x30 4x9000"},
        "1h56m; 2h4m UnownedErrorLog silver; 3h UnownedErrorLog silver;"
        "3h4m UnownedErrorLog silver; 3h12m",
    ),
    "logs of no dataset are taken away": Case({UNOWNED: "3x30 1x9000"}, "2h8m"),
    "rows fall by more than a tenth": Case(
        {of(ROWS, "silver"): "1000x30 890x9000"},
        "1h56m; 3h VolumeFall breweries silver; 27h4m VolumeFall breweries silver; 27h12m",
    ),
    "rows fall by less": Case({of(ROWS, "silver"): "1000x30 910x9000"}, "3h"),
    "more than one row in a hundred is rejected": Case(
        {of(REJECTED, "silver"): "0x3 119x3 117x9000"}, f"45s; 1m {REJECTS}; 6m30s {REJECTS}; 7m15s"
    ),
    "one run is slow": Case(
        {of(SECONDS, "silver"): "10x20 100x8 10x9000"}, f"5m; 5m30s {SLOW}; 12m15s {SLOW}; 12m45s"
    ),
    "the first run has no usual one before it": Case(
        {of(SECONDS, "silver"): "0x20 90x9000"}, "5m15s; 8m; 15m"
    ),
    "three times what is usual": slow("100x2500 310x9000", 168, SLOW),
    "less than three times": slow("100x2500 290x9000", 168),
    "it becomes usual": slow("100x2500 310x9000", 300),
    "more than a minute": slow("10x2500 70x9000", 168, SLOW),
    "less than a minute": slow("10x2500 55x9000", 168),
    "usual is the middle": slow("20x1110 100x1400 200x9000", 168),
    "usual is that of a week": slow("100x2495 20x1080 200x9000", 240),
}


def sample(alert: str) -> dict[str, object]:
    """An alert by its name, and those that it has of a dataset and a layer."""
    name, *rest = alert.split()
    labels = [f'alertname="{name}"']
    labels += [f'{"layer" if one in LAYERS else "dataset"}="{one}"' for one in rest]
    return {"labels": f"{{{', '.join(labels)}}}", "value": 1}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_rules_fire_when_they_should(tmp_path, case):
    # The other one costs time, and is there where it is spoken of.
    datasets = BOTH if OTHER in str(case.series) else (ONE,)
    series = {**healthy(case.interval, datasets), **case.series}
    firing = f"count by({LABELS}) (ALERTS{{alertstate='firing'}})"
    asked = [
        {"expr": firing, "eval_time": time, "exp_samples": [*map(sample, sorted(alerts))]}
        for time, alerts in case.moments.items()
    ]
    test = {
        "interval": case.interval,
        "input_series": [{"series": name, "values": told} for name, told in series.items()],
        "promql_expr_test": asked,
    }
    told = {"rule_files": [str(RULES_FILE)], "tests": [test]}
    told["evaluation_interval"] = case.evaluation or case.interval
    (file := tmp_path / "case.yml").write_text(yaml.safe_dump(told))
    command = ["promtool", "test", "rules", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_seen_firing_and_resolved():
    fired = [alerts for case in CASES.values() for alerts in case.moments.values()]
    assert {alert.split()[0] for alerts in fired for alert in alerts} == RULES.keys()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_means_and_what_to_do(name):
    rule = RULES[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["labels"]["owner"] in {"data", "platform"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    file, _, section = rule["annotations"]["runbook_url"].partition("#")
    assert section in anchors((ROOT / file).read_text(encoding="utf-8"))
