"""The pipeline through real Mage when the world misbehaves: nothing is lost, and it is said."""

import json
import re
import runpy
from itertools import pairwise

import pyarrow as pa
import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import SettingError
from data.medallion.host.envfile import PROJECT
from data.medallion.lake import errors, parquet
from data.medallion.lake.manifest import StoredObject
from data.medallion.layers.errors import CheckFailed
from data.medallion.source.errors import ApiGaveUp, ApiRefused, CrawlIncomplete
from data.medallion.stages import BRONZE, GOLD, SILVER
from sandbox.faults import Faults

pytestmark = pytest.mark.usefixtures("filled")


@pytest.mark.parametrize(
    ("body", "path", "kind", "says"),
    [
        ("html", "", ApiGaveUp, "not JSON: Expecting value"),
        ("half", "", ApiGaveUp, "body that cannot be used"),
        ("empty", "", CrawlIncomplete, "total: 0 fetched"),
        ("", "/none", ApiRefused, "404"),
    ],
)
def test_an_api_that_cannot_be_trusted_changes_nothing(world, body, path, kind, says):
    """tests/faults has the other ways."""
    before = world.published()
    world.api.faults = Faults(rate_limit=0, body=body)
    world.set(BREWERIES_API_ATTEMPTS=3, BREWERIES_API_URL=f"{world.api.url}{path}")
    log = world.fails(kind, "bronze")
    assert log["exception_type"] == kind.__name__ and says in log["message"]
    assert world.published() == before


def test_an_incomplete_crawl_names_the_difference(world):
    world.api.faults = Faults(rate_limit=0, drop=1, duplicate=1)
    log = world.fails(CrawlIncomplete, "bronze")
    assert log["facts"]["differences"]["total"] == {"fetched": 599, "reported": 600}
    assert any(name.startswith("by_state ") for name in log["facts"]["differences"])


def functions_of(dataset):
    """What a block's file defines, by name."""
    (file,) = PROJECT.glob(f"*/{dataset.block}.py")
    return runpy.run_path(str(file))


@pytest.mark.parametrize(("source", "made"), pairwise(FLOW.datasets), ids=str)
@pytest.mark.parametrize("spoilt", [True, False])
def test_a_source_that_is_not_what_its_manifest_says_is_not_used(world, source, made, spoilt):
    before = world.published()
    (victim, *_) = world.manifest(source).objects
    content = world.lake.read(source.layer, victim)
    if spoilt:
        world.lake.store.put(source.layer, victim.key, b"spoilt")
    else:
        world.lake.store.remove(source.layer, [victim.key])
    kind = errors.ObjectDiffers if spoilt else errors.ObjectMissing
    with pytest.raises(kind, match=re.escape(f"{source.layer}/{victim.key}")):
        functions_of(made)[made.block]({"run": world.earlier_run})
    assert list(world.logs(made.layer)) == [f"logs/{world.earlier_run}-{made.block}.json"]
    world.lake.store.put(source.layer, victim.key, content)
    assert world.published() == before


def test_gold_refuses_silver_without_a_column(world):
    manifest = world.manifest(FLOW.silver)
    (first, *rest) = manifest.objects
    content = parquet.encode(pa.table({"id": ["1"] * first.rows}))
    poorer = StoredObject.of(first.key, first.rows, content)
    world.lake.store.put("silver", first.key, content)
    world.publish_manifest(FLOW.silver, manifest.model_copy(update={"objects": (poorer, *rest)}))
    with pytest.raises(errors.ColumnsDiffer, match=r"lacks brewery_type \(string\)"):
        GOLD.run(FLOW, {}, {"run": world.earlier_run})


@pytest.mark.parametrize("dataset", FLOW.datasets, ids=str)
def test_the_tests_of_a_block_catch_a_wrong_output(world, dataset):
    (victim, *_) = world.manifest(dataset).objects
    world.lake.store.put(dataset.layer, victim.key, b"spoilt")
    found = functions_of(dataset)
    (test,) = (found[name] for name in found if name.endswith(("says", "up", "picture")))
    with pytest.raises(errors.ObjectDiffers):
        test({"run": world.earlier_run})
    assert list(world.logs(dataset.layer)) == [f"logs/{world.earlier_run}-{dataset.block}.json"]


def test_the_tests_of_a_block_count_for_themselves(world):
    for stage in (BRONZE, SILVER, GOLD):
        (dataset,) = stage.datasets(FLOW)
        manifest = world.manifest(dataset)
        wrong = manifest.model_copy(update={"rows_in": 1, "rows_out": 1})
        world.publish_manifest(dataset, wrong)
        with pytest.raises(CheckFailed):
            stage.verify(world.context, dataset)


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


def test_a_store_that_is_down_leaves_the_log_in_the_spool_for_the_next_run(world, store):
    before = world.published()
    world.set(MINIO_ENDPOINT="127.0.0.1:9")
    with pytest.raises(errors.StoreUnreachable, match="check MINIO_ENDPOINT"):
        world.run()
    (spooled,) = world.spooled()
    log = json.loads(spooled.read_text())
    assert log["block"] == "extract_breweries_data"

    world.set(MINIO_ENDPOINT=store["MINIO_ENDPOINT"])
    assert world.published() == before
    world.run()
    assert not world.spooled()
    assert world.logs("bronze") == {f"logs/{spooled.name}": log}


def test_a_missing_setting_is_named_and_logged(world):
    world.set(MINIO_ENDPOINT="")
    with pytest.raises(SettingError, match=r"^MINIO_ENDPOINT is required"):
        world.run()
    (spooled,) = world.spooled()
    assert json.loads(spooled.read_text())["exception_type"] == "SettingError"


@pytest.mark.parametrize("snapshot", ["20200101T000000Z-000000", "../breweries_raw"])
def test_an_unknown_snapshot_is_refused(world, snapshot):
    before = world.published()
    log = world.fails(errors.SnapshotMissing, "bronze", snapshot=snapshot)
    assert snapshot in log["message"]
    assert world.published() == before
