"""The exporter on a real store: what it says of a lake that is well, damaged, or gone."""

import json
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests

from data.breweries.flow import FLOW
from data.medallion.lake.batches import in_threads
from data.medallion.lake.datasets import LAYERS
from monitoring import __main__, errorlog, schedule
from monitoring.look import LakeLook
from monitoring.metrics import table
from monitoring.watch import Watch
from sandbox import ROOT
from tests.faults.proxy import StoreProxy
from tests.faults.runs import through_blocks
from tests.monitoring.seen import log_of, next_second, only_failed, only_unreadable, put, run
from tests.programs import needs_promtool, running
from tests.waiting import wait_for


@contextmanager
def without_buckets(lake, *layers):
    """A lake of which some buckets are not there, until the end."""
    for layer in layers:
        lake.store.remove(layer, list(lake.store.listed(layer, "")))
        lake.store._client.remove_bucket(layer)
    try:
        yield
    finally:
        for layer in layers:
            lake.store.create_bucket(layer)


@pytest.mark.parametrize("missing", [(), LAYERS], ids=["empty buckets", "no buckets yet"])
def test_an_empty_lake_is_zeros_and_no_series_is_missing(world, seen, missing):
    with without_buckets(world.lake, *missing):
        metrics = seen.metrics()
    assert metrics["up",] == 1
    for (name, *layer), value in metrics.items():
        assert not layer or value == (name == "layer_up"), name


def test_of_a_lake_after_a_run_each_layer_has_its_numbers(world, seen):
    before = time.time()
    *others, last = world.api.records
    world.api.records = [*others, {**last, "name": None}]
    run()
    metrics = seen.metrics()
    assert not only_failed(metrics) and not only_unreadable(metrics)
    for layer in LAYERS:
        keys, listed = world.keys(layer), world.lake.store.listed(layer, "")
        assert metrics["layer_objects", layer] == len(keys)
        assert metrics["layer_size_bytes", layer] == sum(listed[key].bytes for key in keys)
        age = metrics["layer_last_success_timestamp_seconds", layer] - before
        assert -2 < age < 60
        assert metrics["run_complete", layer] == 1
        assert metrics["run_duration_seconds", layer] > 0
    rows = {layer: metrics["run_output_rows", layer] for layer in LAYERS}
    assert rows == {"bronze": 600, "silver": 599, "gold": world.manifest(FLOW.gold[0]).rows_out}
    assert metrics["run_input_rows", "gold"] == 599
    silver = world.manifest(FLOW.silver)
    assert metrics["run_rejected_rows", "silver"] == silver.rows_rejected == 1
    assert metrics["run_duplicate_rows", "silver"] == silver.rows_duplicate
    assert metrics["drift_flags", "silver"] == len(silver.drift)
    assert metrics["schedule_interval_seconds",] == 86_400
    assert seen.error("gold") == {
        "timestamp": 0, "log": "", "time": "", "block": "", "run": "", "type": "", "message": "",
        "failure": "",
    }  # fmt: skip


@pytest.mark.usefixtures("filled")
def test_an_error_and_the_success_after_it(world, seen):
    records, world.api.records = world.api.records, []
    with pytest.raises(Exception, match="no breweries"):
        run()
    metrics = seen.metrics()
    assert only_failed(metrics) == {"bronze"}
    assert metrics["layer_error_logs", "bronze"] == 1
    error = seen.error("bronze")
    assert (error["block"], error["type"]) == ("extract_breweries_data", "ApiEmpty")
    assert "no breweries" in error["message"]
    assert error["failure"] == f"ApiEmpty: {error['message']}"
    assert error["timestamp"] == metrics["layer_last_error_timestamp_seconds", "bronze"]
    world.api.records = records
    next_second()
    run()
    assert not only_failed(seen.metrics())
    assert seen.error("bronze")["failure"] == ""


def behind(metrics):
    return {layer for layer in LAYERS if metrics["layer_behind", layer]}


def test_a_gold_that_stays_behind_its_silver_is_seen_unless_a_run_is_under_way(world, seen):
    run()
    assert not behind(seen.metrics())
    world.api.records = world.api.records[:-1]
    through_blocks((FLOW.bronze, FLOW.silver))
    assert behind(seen.metrics()) == {"gold"}
    for renewal in ("one", "another"):
        put(world, "gold", FLOW.gold[0].lease, renewal)
        assert not behind(seen.metrics())
    # Nobody renews it: that run has died.
    assert behind(seen.metrics()) == {"gold"}
    world.lake.store.remove("gold", [FLOW.gold[0].lease])
    run()
    assert not behind(seen.metrics())


@pytest.mark.usefixtures("filled")
def test_a_check_that_did_not_hold_is_seen(world, seen):
    manifest = world.manifest(FLOW.silver)
    wrong = manifest.checks[0].model_copy(update={"found": manifest.checks[0].expected + 1})
    world.publish_manifest(FLOW.silver, manifest.model_copy(update={"checks": (wrong,)}))
    metrics = seen.metrics()
    assert [metrics["run_complete", layer] for layer in LAYERS] == [1, 0, 1]
    noted = wrong.model_copy(update={"note": "the API counts two spellings as one"})
    world.publish_manifest(FLOW.silver, manifest.model_copy(update={"checks": (noted,)}))
    assert seen.metrics()["run_complete", "silver"] == 1


@pytest.mark.usefixtures("filled")
def test_of_a_damaged_entry_the_copy_is_read(world, seen):
    put(world, "silver", FLOW.silver.entry(1), "{")
    metrics = seen.metrics()
    assert not only_unreadable(metrics) and metrics["run_output_rows", "silver"] == 600
    put(world, "silver", FLOW.silver.manifest, "{")
    put(world, "silver", FLOW.silver.entry(1), "{}")
    assert only_unreadable(seen.metrics()) == {"silver"}


@pytest.mark.usefixtures("filled")
def test_the_chart_belongs_to_gold(world, seen):
    world.lake.store.remove("gold", [FLOW.chart_dataset.entry(1)])
    metrics = seen.metrics()
    assert metrics["layer_last_success_timestamp_seconds", "gold"] == 0
    assert not only_unreadable(metrics)


@pytest.mark.usefixtures("filled")
def test_a_bucket_that_is_missing_makes_its_layer_alone_unreadable(world, seen):
    before = seen.metrics()
    with without_buckets(world.lake, "gold"):
        metrics = seen.metrics()
    assert only_unreadable(metrics) == {"gold"}
    assert metrics["up",] == 1
    assert metrics["layer_objects", "gold"] == before["layer_objects", "gold"]


LOGS = {
    "not JSON": (b"\xff Traceback (most recent call last)", "no error log of ours"),
    "an array": (b"[]", "no error log of ours"),
    "deep": (b"[" * 100_000, "no error log of ours"),
    "empty": (b"", "no error log of ours"),
    "huge": (b"x" * 2_000_000, "2,000,000 bytes"),
    "other types": (b'{"time": 5, "message": {"a": 1}}', "{'a': 1}"),
    "long": (json.dumps({"message": "m" * 50_000}).encode(), "mmm"),
    "with a NUL": (json.dumps({"message": "a\0b"}).encode(), "ab"),
    "NULs": (b"\0" * 100, "no error log of ours"),
}


@pytest.mark.usefixtures("filled")
def test_a_log_that_is_not_as_ours_is_a_failure_with_a_sentence(world, see):
    next_second()
    for kind, (content, said) in LOGS.items():
        seen = see()  # that knows nothing of the log before
        put(world, "silver", "logs/strange-transform_breweries.json", content)
        metrics = seen.metrics()
        assert only_failed(metrics) == {"silver"}, kind
        assert not only_unreadable(metrics), kind
        error = seen.error("silver")
        assert said in error["message"] and len(error["message"]) < 3000, kind
        assert error["log"] == "silver/logs/strange-transform_breweries.json"
        assert 0 < len(error["failure"]) <= errorlog.LONGEST_LINE, kind
        assert "\\u0000" not in json.dumps(error), kind


@pytest.mark.parametrize("year", [pytest.param("1999", marks=pytest.mark.slow), "2199"])
def test_a_clock_that_is_off_misleads_nobody(world, seen, year):
    """What blocks write of time is theirs; the order is that of the store."""
    next_second()
    put(world, "silver", log_of(f"{year}0101T000000Z-ffffff"), json.dumps({"time": year}))
    next_second()
    run()
    assert not only_failed(seen.metrics())
    next_second()
    put(world, "silver", log_of("a"), json.dumps({"time": year, "message": "the newest"}))
    assert only_failed(seen.metrics()) == {"silver"}
    assert seen.error("silver")["message"] == "the newest"


@pytest.mark.usefixtures("filled")
def test_of_more_logs_than_a_listing_has_one_is_read(world, operations, see):
    content = json.dumps({"message": "old"}).encode()
    names = (log_of(f"{n:05}") for n in range(1100))  # a listing has a thousand
    list(in_threads(8, lambda name: put(world, "silver", name, content), names))
    next_second()
    put(world, "silver", log_of("00007"), json.dumps({"message": "new"}))
    seen = see()
    metrics = seen.metrics()
    assert seen.error("silver")["message"] == "new"
    assert metrics["layer_error_logs", "silver"] == 1100
    read = [o.path for o in operations if "/logs/" in o.path]
    assert read == [f"/silver/{log_of('00007')}"]
    assert len(operations) < 40


@pytest.mark.usefixtures("filled")
def test_the_store_goes_down_and_comes_back(world, see, store):
    with StoreProxy(store["MINIO_ENDPOINT"]) as proxy:
        world.set(MINIO_ENDPOINT=proxy.endpoint)
        seen = see()
        before = seen.metrics()
        proxy.before = lambda operation: "drop"
        down = seen.metrics()
        assert down["up",] == 0 and only_unreadable(down) == set(LAYERS)
        for name in ("layer_objects", "run_output_rows", "layer_failed"):
            for layer in LAYERS:
                assert down[name, layer] == before[name, layer]
        look = "look_timestamp_seconds"
        assert down[look,] == before[look,]
        assert proxy.endpoint in seen.health()["store"]
        proxy.reset()
        assert seen.metrics()["up",] == 1
        assert seen.health()["store"] == "ok"


def test_a_port_that_is_taken_is_named(world, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert __main__.main([f"--port={port}"]) == 1
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_a_store_that_is_down_from_the_start_is_told_of(world, see, how):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        world.set(MINIO_ENDPOINT=f"127.0.0.1:{listening.getsockname()[1]}")
        if how == "refuses":
            listening.close()
        metrics = see().metrics()
    assert metrics["up",] == 0
    assert metrics["look_timestamp_seconds",] == 0
    assert not only_failed(metrics)


@pytest.mark.usefixtures("filled")
def test_refused_keys_are_not_a_store_that_is_down(world, see):
    world.set(MINIO_SECRET_KEY="wrong-wrong-wrong")
    metrics = see().metrics()
    assert metrics["up",] == 1
    assert only_unreadable(metrics) == set(LAYERS)


class Slow:
    """A look that ends when the test says so."""

    def __init__(self, **found):
        self.gives = replace(LakeLook.none([FLOW]), problem="", **found)
        self.looks, self.go_on = [], threading.Event()

    def __call__(self, before):
        self.looks.append(before)
        self.go_on.wait(60)
        return self.gives


def test_many_who_ask_share_one_look_until_it_is_old():
    look = Slow()
    watch = Watch(look, look.gives, fresh=3600)
    with ThreadPoolExecutor(20) as many:
        asking = [many.submit(watch.newest) for _ in range(20)]
        wait_for(lambda: look.looks, pause=0.02)
        look.go_on.set()
    assert {asked.result() is look.gives for asked in asking} == {True}
    watch.newest()
    assert len(look.looks) == 1
    watch._ended -= 3600
    watch.newest()
    assert len(look.looks) == 2


def test_a_store_that_lets_a_look_take_too_long_is_down():
    look = Slow(succeeded=1.0)
    watch = Watch(look, look.gives, fresh=0, patience=0.1, stalled=60)
    assert watch.newest() is look.gives  # nobody waits for it
    watch._stalled = 0.1
    stalled: Any = wait_for(lambda: not watch.newest().up and watch.newest(), 60, 0.05)
    layers = [seen for of_dataset in stalled.datasets.values() for seen in of_dataset.values()]
    assert not stalled.up and not any(seen.up for seen in layers)
    assert stalled.succeeded == 1.0
    look.go_on.set()
    wait_for(lambda: watch.newest().up, 60, 0.05)


def test_a_store_of_a_large_lake_rests_between_looks_and_is_not_taken_for_stalled():
    """A look at it takes long; whoever asks meanwhile has the look before."""
    look = Slow(seconds=6.0)
    watch = Watch(look, look.gives, fresh=0, patience=0.05, stalled=0.01)
    assert watch.newest().up and watch.newest().up
    look.go_on.set()
    wait_for(lambda: watch._ended, 60, 0.02)
    assert watch.newest() is look.gives
    assert len(look.looks) == 1


def test_the_command_serves_and_says_where(world):
    command = [f"{ROOT}/.venv/bin/python", "-m", "monitoring", "--port", "0"]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        assert "lake_up 1.0" in requests.get(url, timeout=60).text
    assert process.returncode == 0


@needs_promtool
@pytest.mark.usefixtures("filled")
def test_promtool_finds_nothing_to_mend(world, seen):
    told, command = seen.get("/metrics").text, ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr


def triggers(*intervals, **more):
    active = {"schedule_type": "time", "status": "active", **more}
    return json.dumps({"triggers": [{**active, "schedule_interval": each} for each in intervals]})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (triggers("@daily"), 86_400),
        (triggers("@hourly"), 3600),
        (triggers("*/30 * * * *"), 1800),
        (triggers("0 6 * * 1-5"), 3 * 86_400),
        (triggers("@once", "@daily", "@weekly"), 86_400),
        (triggers("@daily", status="inactive"), 0),
        *((triggers(never), 0) for never in ("@always_on", "nonsense")),
        *((unusable, 0) for unusable in ("", "triggers", "triggers: [{}]", ": :", None)),
    ],
)
def test_how_often_a_run_is_due_is_read_from_the_triggers(tmp_path, text, seconds):
    file = tmp_path / "triggers.yaml"
    if text is not None:
        file.write_text(text)
    assert schedule.interval(file) == seconds


def test_the_list_in_the_docs_is_that_of_the_code():
    document = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert table() in document, "put there what `python -m monitoring.metrics` prints"


def test_keys_in_a_log_or_a_problem_are_not_passed_on(world, see, store):
    told = {"message": f"the key {store['MINIO_SECRET_KEY']}", "run": store["MINIO_ACCESS_KEY"]}
    put(world, "silver", log_of("x"), json.dumps(told))
    put(world, "gold", log_of("y", FLOW.gold[0]), f"no JSON: {store['MINIO_SECRET_KEY']}")
    seen = see()
    assert seen.error("silver")["message"] == "the key ***"
    for path in ("/errors", "/healthz", "/metrics", "/nowhere"):
        text = seen.get(path).text
        assert store["MINIO_SECRET_KEY"] not in text
        assert store["MINIO_ACCESS_KEY"] not in text
