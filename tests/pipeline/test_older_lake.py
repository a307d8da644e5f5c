"""The lake that release 0.1.0 wrote (commit 91b337b) is read and replaced; nothing is lost."""

import base64
import json
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.manifest import MANIFEST_VERSION
from tests.conftest import raw_get

LAKE = json.loads(Path(__file__).with_name("lake_of_0_1_0.json").read_text())
"""Two runs of `python -m sandbox demo`, with 12 records and with 14: every object, as stored."""

BEFORE = {(o["bucket"], o["key"]): base64.b64decode(o["content"]) for o in LAKE}


@pytest.fixture
def older(world):
    for stored in LAKE:
        place = stored["bucket"], stored["key"]
        world.lake.store.put(*place, BEFORE[place], stored["type"], stored["metadata"])
    world.api.records = json.loads(BEFORE["bronze", FLOW.bronze.object])
    return world


def manifests(world):
    return {dataset.path: world.manifest(dataset) for dataset in FLOW.datasets}


def test_every_manifest_is_read(older):
    found = manifests(older)
    assert {manifest.manifest_version for manifest in found.values()} == {1}
    assert {manifest.flow for manifest in found.values()} == {None}
    assert found["silver/breweries"].rows_out == 14


def test_the_same_data_change_no_object_of_the_lake(older):
    before = manifests(older)
    older.run()
    after = manifests(older)
    for path in ("bronze/breweries", "silver/breweries", "gold/state_brewery_type"):
        assert after[path].objects == before[path].objects
    assert {manifest.snapshot for manifest in after.values()} == {
        before["bronze/breweries"].snapshot
    }
    assert {manifest.manifest_version for manifest in after.values()} == {MANIFEST_VERSION}
    assert {manifest.flow for manifest in after.values()} == {"breweries"}
    assert after["silver/breweries"].changes.added == 0
    for layer, key in BEFORE.keys() - {(d.layer, d.manifest) for d in FLOW.datasets}:
        if key != FLOW.chart.object:
            assert raw_get(older.lake, layer, key) == BEFORE[layer, key]


def test_other_data_are_compared_with_it(older):
    older.api.records = [{**r, "phone": "1"} for r in older.api.records[1:]]
    older.run()
    changes = older.manifest(FLOW.silver).changes
    assert (changes.added, changes.removed, changes.changed) == (0, 1, 13)
    (kept,) = {key for bucket, key in BEFORE if key.startswith(FLOW.bronze.history)}
    assert kept in older.keys("bronze")


def test_an_answer_that_it_kept_is_replayed(older):
    (key,) = {key for bucket, key in BEFORE if key.startswith(FLOW.bronze.history)}
    snapshot = key.removeprefix(FLOW.bronze.history).removesuffix(".json")
    older.run(snapshot=snapshot)
    assert older.manifest(FLOW.gold[0]).snapshot == snapshot
    assert older.manifest(FLOW.silver).rows_out == 12


def test_what_waits_in_its_spool_is_delivered(older):
    waiting = older.folder / "spool" / "silver" / "20260101T000000Z-aaaaaa-transform_breweries.json"
    waiting.parent.mkdir(parents=True)
    waiting.write_text("{}")
    older.run(test=False)
    assert not older.spooled()
    assert f"logs/{waiting.name}" in older.logs("silver")
