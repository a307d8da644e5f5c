"""The pipeline through real Mage when the world misbehaves: nothing is lost, and it is said."""

import json
import re
import runpy
import socket

import pyarrow as pa
import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import SettingError
from data.medallion.host.envfile import PROJECT
from data.medallion.lake import parquet
from data.medallion.lake.errors import (
    ColumnsDiffer,
    ObjectDiffers,
    ObjectMissing,
    SnapshotMissing,
    StoreRefused,
    StoreUnreachable,
)
from data.medallion.lake.manifest import sha256
from data.medallion.layers.errors import CheckFailed
from data.medallion.source.errors import ApiEmpty, ApiGaveUp, ApiRefused, CrawlIncomplete
from data.medallion.stages import BRONZE, GOLD, SILVER
from sandbox.faults import Faults
from tests.conftest import raw_get

WELL = {"name": "A", "brewery_type": "micro", "country": "Land", "state_province": "State"}


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("html", ApiGaveUp, "not a JSON array"),
        ("object", ApiGaveUp, "not a JSON array"),
        ("text", ApiGaveUp, "not a JSON array"),
        ("empty", CrawlIncomplete, "total: 0 fetched, 600 reported"),
        ("half", ApiGaveUp, "body that cannot be used"),
    ],
)
@pytest.mark.usefixtures("filled")
def test_an_api_that_cannot_be_trusted_changes_nothing(world, body, kind, says):
    """tests/faults has the other ways."""
    before = world.published()
    world.api.faults = Faults(rate_limit=0, body=body)
    world.set(BREWERIES_API_ATTEMPTS=3)
    log = world.fails(kind, "bronze")
    assert says in log["message"]
    assert log["exception_type"] == kind.__name__
    assert world.published() == before


def test_an_incomplete_crawl_names_the_difference(world):
    world.api.faults = Faults(rate_limit=0, drop=1, duplicate=1)
    log = world.fails(CrawlIncomplete, "bronze")
    assert log["facts"]["differences"]["total"] == {"fetched": 599, "reported": 600}
    assert any(name.startswith("by_state ") for name in log["facts"]["differences"])


def test_an_api_that_is_down_is_named(world):
    url = f"http://127.0.0.1:{closed_port()}/v1/breweries"
    world.set(BREWERIES_API_URL=url, BREWERIES_API_ATTEMPTS=2)
    log = world.fails(ApiGaveUp, "bronze")
    assert url in log["message"]
    assert "Connection refused" in log["message"]


def test_a_wrong_path_of_the_api_is_not_tried_again(world):
    world.set(BREWERIES_API_URL=world.api.url.replace("/v1", ""))
    log = world.fails(ApiRefused, "bronze")
    assert log["facts"]["status"] == 404
    assert len(world.api.requests) == 1


def test_a_slow_api_is_given_up_within_the_time_limit(world):
    world.api.faults = Faults(rate_limit=1, rate_window_seconds=60)
    world.set(BREWERIES_API_TIME_LIMIT_SECONDS=3, BREWERIES_API_TIMEOUT_SECONDS=2)
    log = world.fails(ApiGaveUp, "bronze")
    assert "BREWERIES_API_TIME_LIMIT_SECONDS is 3" in log["message"]


@pytest.mark.parametrize(
    ("source", "folder", "block", "layer"),
    [
        (FLOW.bronze, "transformers", "transform_breweries", "silver"),
        (FLOW.silver, "transformers", "aggregated_columns", "gold"),
        (FLOW.gold[0], "data_exporters", "data_viz", "gold"),
    ],
)
@pytest.mark.parametrize("spoilt", [True, False])
@pytest.mark.usefixtures("filled")
def test_a_source_that_is_not_what_its_manifest_says_is_not_used(
    world, source, folder, block, layer, spoilt
):
    before = world.published()
    (victim, *_) = world.manifest(source).objects
    content = world.lake.read(source.layer, victim)
    if spoilt:
        world.lake.store.put(source.layer, victim.key, b"spoilt")
    else:
        world.lake.store.remove(source.layer, [victim.key])
    call = runpy.run_path(str(PROJECT / folder / f"{block}.py"))[block]
    kind = ObjectDiffers if spoilt else ObjectMissing
    with pytest.raises(kind, match=re.escape(f"{source.layer}/{victim.key}")):
        call({"run": world.earlier_run})
    (key,) = world.logs(layer)
    assert key == f"logs/{world.earlier_run}-{block}.json"
    world.lake.store.put(source.layer, victim.key, content)
    assert world.published() == before


@pytest.mark.usefixtures("filled")
def test_gold_refuses_silver_without_a_column(world):
    manifest = world.manifest(FLOW.silver)
    (first, *rest) = manifest.objects
    content = parquet.write(pa.table({"id": ["1"] * first.rows}))
    poorer = first.model_copy(update={"sha256": sha256(content), "bytes": len(content)})
    world.lake.store.put("silver", first.key, content)
    world.publish_manifest(FLOW.silver, manifest.model_copy(update={"objects": (poorer, *rest)}))
    call = runpy.run_path(str(PROJECT / "transformers/aggregated_columns.py"))["aggregated_columns"]
    with pytest.raises(ColumnsDiffer, match=r"lacks brewery_type \(string\)"):
        call({"run": world.earlier_run})


@pytest.mark.parametrize(
    ("dataset", "kind"),
    [
        (FLOW.bronze, ObjectDiffers),
        (FLOW.silver, ObjectDiffers),
        (FLOW.gold[0], ObjectDiffers),
        (FLOW.chart_dataset, ObjectDiffers),
    ],
    ids=lambda value: getattr(value, "block", None),
)
@pytest.mark.usefixtures("filled")
def test_the_tests_of_a_block_catch_a_wrong_output(world, dataset, kind):
    (victim, *_) = world.manifest(dataset).objects
    world.lake.store.put(dataset.layer, victim.key, b"spoilt")
    (file,) = PROJECT.glob(f"*/{dataset.block}.py")
    tests = [
        f
        for name, f in runpy.run_path(str(file)).items()
        if name.endswith(("says", "up", "picture"))
    ]
    assert len(tests) == 1
    with pytest.raises(kind):
        tests[0]({"run": world.earlier_run})
    assert list(world.logs(dataset.layer)) == [f"logs/{world.earlier_run}-{dataset.block}.json"]


@pytest.mark.usefixtures("filled")
def test_the_tests_of_a_block_count_for_themselves(world):
    for stage in (BRONZE, SILVER, GOLD):
        (dataset,) = stage.datasets(FLOW)
        manifest = world.manifest(dataset)
        wrong = manifest.model_copy(update={"rows_in": 1, "rows_out": 1})
        world.publish_manifest(dataset, wrong)
        with pytest.raises(CheckFailed):
            stage.verify(world.context, dataset)


@pytest.mark.usefixtures("filled")
def test_gold_stops_at_a_key_that_silver_has_twice(world):
    version, counted = world.manifest(FLOW.silver), world.manifest(FLOW.gold[0])
    first, *others = version.objects
    twice = first.model_copy(update={"key": f"{FLOW.silver.prefix}country=X/state=Y/1.parquet"})
    world.lake.store.put("silver", twice.key, world.lake.read("silver", first))
    more = {"objects": (first, twice, *others), "rows_out": version.rows_out + first.rows}
    world.publish_manifest(FLOW.silver, version.model_copy(update=more))
    with pytest.raises(CheckFailed) as caught:
        GOLD.run(FLOW, {}, {"run": world.earlier_run})
    assert caught.value.facts["found"] == version.rows_out
    assert world.manifest(FLOW.gold[0]) == counted


def test_an_api_without_breweries_is_refused(world):
    world.api.records = []
    assert "says it has no breweries" in world.fails(ApiEmpty, "bronze")["message"]


def test_records_that_cannot_be_used_are_kept_apart(world):
    states = {
        "slash": "a/b",
        "equals": "a=b",
        "percent": "100%",
        "encoded": "%41",
        "dots": "..",
        "beer": "🍺",
        "quote": "Hawke's Bay",
        "space": "New  York",
        "leading": ".hidden",
    }
    usable = [{**WELL, "id": name, "state_province": state} for name, state in states.items()]
    unusable = {
        "not an object": ["a text", 7, None, [1]],
        "no id": [{**WELL, "id": None}, {**WELL, "id": " "}],
        "no name": [{**WELL, "id": "n", "name": None}],
        "no country": [{**WELL, "id": "c", "country": ""}],
        "no state": [{**WELL, "id": "s", "state_province": "\u00a0"}],
        "state too long for a key": [{**WELL, "id": "l", "state_province": "x" * 300}],
    }
    flat = [record for records in unusable.values() for record in records]
    world.api.records = [*usable, *flat]
    world.set(BREWERIES_STOP_ON="none")
    world.run()

    silver = world.manifest(FLOW.silver)
    assert (silver.rows_in, silver.rows_out, silver.rows_rejected) == (19, 9, 10)
    rejected = json.loads(raw_get(world.lake, "silver", "data/rejected/breweries_rejected.json"))
    found = {
        reason: [r["record"] for r in rejected if r["reason"] == reason] for reason in unusable
    }
    for reason, records in unusable.items():
        assert sorted(map(json.dumps, found[reason])) == sorted(map(json.dumps, records))
    bronze = json.loads(raw_get(world.lake, "bronze", "data/breweries/breweries_raw.json"))
    assert all(bronze[row["position"]] == row["record"] for row in rejected)
    assert world.manifest(FLOW.gold[0]).rows_in == 9


def test_duplicate_ids_are_resolved_and_counted(world):
    world.api.faults = Faults(rate_limit=0, duplicate=5)
    world.set(BREWERIES_API_PAGE_SIZE=50)
    world.run()
    silver = world.manifest(FLOW.silver)
    assert (silver.rows_in, silver.rows_out, silver.rows_duplicate) == (605, 600, 5)


@pytest.mark.usefixtures("filled")
def test_a_store_that_is_down_leaves_the_log_in_the_spool_for_the_next_run(world, store):
    before = world.published()
    world.set(MINIO_ENDPOINT=f"127.0.0.1:{closed_port()}")
    with pytest.raises(StoreUnreachable, match="check MINIO_ENDPOINT"):
        world.run()
    (spooled,) = world.spooled()
    log = json.loads(spooled.read_text())
    assert log["block"] == "extract_breweries_data"

    world.set(MINIO_ENDPOINT=store["MINIO_ENDPOINT"])
    assert world.published() == before
    world.run()
    assert not world.spooled()
    assert world.logs("bronze") == {f"logs/{spooled.name}": log}


@pytest.mark.parametrize("variable", ["MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"])
def test_wrong_keys_are_named_and_never_shown(world, store, variable):
    world.set(**{variable: "canary-of-a-key"})
    with pytest.raises(StoreRefused, match="check MINIO_ACCESS_KEY, MINIO_SECRET_KEY") as caught:
        world.run()
    (spooled,) = world.spooled()
    for text in (spooled.read_text(), str(caught.value), repr(caught.value.facts)):
        assert "canary" not in text
        assert store["MINIO_SECRET_KEY"] not in text


@pytest.mark.parametrize("variable", ["MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"])
def test_a_missing_setting_is_named_and_logged(world, variable):
    world.set(**{variable: ""})
    with pytest.raises(SettingError, match=f"^{variable} is required"):
        world.run()
    (spooled,) = world.spooled()
    assert json.loads(spooled.read_text())["exception_type"] == "SettingError"


@pytest.mark.usefixtures("filled")
def test_an_unknown_snapshot_is_refused(world):
    before = world.published()
    log = world.fails(SnapshotMissing, "bronze", snapshot="20200101T000000Z-000000")
    assert "20200101T000000Z-000000" in log["message"]
    assert world.published() == before
