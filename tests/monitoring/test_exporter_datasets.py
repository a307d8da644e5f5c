"""The exporter on a lake of two datasets: each is told apart, and none hides the other."""

import json

import pytest

from data.breweries.flow import FLOW
from data.medallion import project
from data.medallion.lake.datasets import LAYERS
from monitoring import __main__
from sandbox import ROOT
from tests.monitoring.seen import log_of, next_second, only_failed, only_unreadable, put, run
from tests.monitoring.stations import STATIONS, publish, put_version

ALL = (FLOW, STATIONS)


@pytest.fixture
def both(world, see):
    """An exporter of two flows: the one that runs here, and one that is published by hand."""
    return see(*ALL)


@pytest.mark.usefixtures("filled")
def test_two_datasets_are_told_apart(world, both):
    for dataset in STATIONS.datasets:
        publish(world.lake, dataset, {"bronze": 7, "silver": 5, "gold": 2}[dataset.layer])
    ours, theirs = both.metrics(), both.metrics(STATIONS.name)
    assert not only_unreadable(ours) and not only_unreadable(theirs)
    assert [theirs["run_output_rows", layer] for layer in LAYERS] == [7, 5, 2]
    assert [ours["run_output_rows", layer] for layer in LAYERS[:2]] == [600, 600]
    for layer in LAYERS:
        owned = ours["layer_objects", layer] + theirs["layer_objects", layer]
        assert owned == len(world.keys(layer))
        assert theirs["layer_objects", layer] == len(STATIONS.layers[layer])
        assert theirs["layer_size_bytes", layer] > 0
        assert theirs["layer_last_success_timestamp_seconds", layer] > 0
        assert ours["unowned_objects", layer] == ours["unowned_error_logs", layer] == 0
    assert ours["schedule_interval_seconds",] == 86_400
    assert theirs["schedule_interval_seconds",] == 0, "it has no trigger"


@pytest.mark.parametrize(
    "layer",
    ["silver", *(pytest.param(layer, marks=pytest.mark.slow) for layer in ("bronze", "gold"))],
)
def test_a_failure_of_one_dataset_is_not_hidden_by_a_success_of_another(world, both, layer):
    failing = STATIONS.layers[layer][0]
    put(world, layer, log_of("1", failing), json.dumps({"message": "no stations"}))
    next_second()
    run()
    assert not only_failed(both.metrics())
    assert only_failed(both.metrics(STATIONS.name)) == {layer}
    assert both.error(layer, STATIONS.name)["failure"] == "no stations"
    assert both.error(layer)["failure"] == "" == both.error(layer)["log"]
    next_second()
    for dataset in STATIONS.layers[layer]:
        publish(world.lake, dataset, 1)
    assert not only_failed(both.metrics(STATIONS.name))
    assert both.error(layer, STATIONS.name)["failure"] == ""


@pytest.mark.usefixtures("filled")
def test_what_is_wrong_with_one_dataset_is_not_the_other_s(world, both):
    put_version(world.lake, STATIONS.silver, b"{")
    assert not only_unreadable(both.metrics())
    assert only_unreadable(both.metrics(STATIONS.name)) == {"silver"}
    assert both.problem("silver") == "ok" == both.health()["store"]
    assert STATIONS.silver.entry(1) in both.problem("silver", STATIONS.name)
    put_version(world.lake, FLOW.silver, b"{")
    assert only_unreadable(both.metrics()) == {"silver"}


def test_each_bucket_is_listed_once_whatever_the_number_of_datasets(operations, see):
    see(*ALL).metrics()
    lists = [o.path for o in operations if "list-type" in o.path]
    assert len(lists) == len(set(lists)) == 4 * len(LAYERS), "its four parts"


@pytest.mark.usefixtures("filled")
def test_what_is_no_dataset_s_is_counted(world, seen):
    put(world, "silver", log_of("1", STATIONS.silver), json.dumps({"message": "no stations"}))
    next_second()
    put(world, "silver", "logs/strange", b"")
    for prefix in (STATIONS.gold[0].prefix, STATIONS.gold[0].objects):
        put(world, "gold", f"{prefix}x", b"x")
    metrics = seen.metrics()
    assert not only_failed(metrics) and not only_unreadable(metrics)
    assert [metrics["unowned_error_logs", layer] for layer in LAYERS] == [0, 2, 0]
    assert [metrics["unowned_objects", layer] for layer in LAYERS] == [0, 0, 2]
    assert seen.health()["unowned"]["silver"] == {
        "objects": 0, "error_logs": 2, "newest": "silver/logs/strange",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"), [("FLOW = (", "stations"), (None, "no folder of data/ has a flow.py")]
)
def test_a_flow_that_cannot_be_is_a_sentence(world, monkeypatch, tmp_path, capsys, text, said):
    monkeypatch.setattr(project, "PROJECT", tmp_path / "lake_of_a_test")
    monkeypatch.syspath_prepend(tmp_path)
    if text is not None:
        file = tmp_path / "lake_of_a_test" / "stations" / "flow.py"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert __main__.main(["--port=0"]) == 1
    told = capsys.readouterr()
    assert said in told.err and len(told.err.splitlines()) == 1 and not told.out


def test_the_monitoring_names_no_dataset():
    """What it must know of one, it is handed."""
    texts = {
        file: file.read_text(encoding="utf-8").lower()
        for file in (ROOT / "monitoring").rglob("*")
        if file.suffix in {".json", ".py", ".yaml", ".yml"}
    }
    assert len(texts) > 20
    names = [FLOW.name, *(dataset.name for dataset in FLOW.datasets), "brewer"]
    assert not [(file, name) for file, text in texts.items() for name in names if name in text]
