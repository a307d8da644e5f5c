"""The lake that release 0.1.0 wrote (commit 91b337b) is read and replaced; nothing is lost."""

import base64
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.manifest import Changes
from data.medallion.layers.silver import write
from data.medallion.read.check import check

LAKE = json.loads(Path(__file__).with_name("lake_of_0_1_0.json").read_text())
"""Two runs of `python -m sandbox demo`, with 12 records and with 14: every object, as stored."""

BEFORE = {(o["bucket"], o["key"]): base64.b64decode(o["content"]) for o in LAKE}


@pytest.fixture
def older(world):
    for stored in LAKE:
        place = stored["bucket"], stored["key"]
        world.lake.store.put(*place, BEFORE[place], stored["type"])
    world.api.records = json.loads(BEFORE["bronze", FLOW.bronze.object])
    return world


(KEPT,) = {key for bucket, key in BEFORE if key.startswith(FLOW.bronze.folder)}
SNAPSHOT = KEPT.removeprefix(FLOW.bronze.folder).removesuffix(".json")


def test_objects_without_comments_are_replaced_once_and_no_row_counts_as_changed(world):
    with world.patch.context() as patch:  # as code before this wrote them
        patch.setattr(write, "declared", lambda rows, _: rows)
        world.run()
    before = world.manifest(FLOW.silver)
    world.run()
    after = world.manifest(FLOW.silver)
    assert not {*before.objects} & {*after.objects} and after.drift == ()
    assert after.changes == Changes(partitions=len(after.objects))
    checked, others = check(world.lake, [FLOW])
    assert [*(found for *_, found in checked), others] == [[]] * (len(checked) + 1)
    world.run()
    assert world.manifest(FLOW.silver).objects == after.objects
    content = world.lake.read("silver", after.objects[0])
    schema = pq.read_schema(io.BytesIO(content))
    assert not schema.field("id").nullable and schema.field("latitude").metadata[b"comment"]


def test_its_first_run_begins_the_logs(older):
    older.run()
    for dataset in FLOW.datasets:
        assert older.lake.log(dataset).numbers() == [1]
    # Its objects of silver had names of their own; those of now are there, and no others.
    objects = {entry.key for entry in older.manifest(FLOW.silver).objects}
    assert objects == {key for key in older.keys("silver") if key.endswith(".parquet")}
    assert older.manifest(FLOW.silver).rows_out == 14
    assert older.manifest(FLOW.silver).changes.added == 14


def test_its_history_stays_readable(older):
    older.api.records = older.api.records[:-1]
    newest = json.loads(BEFORE["bronze", FLOW.bronze.manifest])["snapshot"]
    older.run()
    first, second = older.manifest(FLOW.bronze).retained
    assert (first.snapshot, first.object.rows, first.version) == (SNAPSHOT, 12, 0)
    # It had only the fixed name, which is another one's now.
    assert (second.snapshot, second.object.rows, second.version) == (newest, 14, 0)
    assert older.lake.read("bronze", second.object) == BEFORE["bronze", FLOW.bronze.object]
    older.run(snapshot=SNAPSHOT)
    assert older.manifest(FLOW.gold[0]).snapshot == SNAPSHOT
    assert older.manifest(FLOW.silver).rows_out == 12


def test_its_history_is_replayed_by_the_first_run(older):
    older.run(snapshot=SNAPSHOT)
    assert older.manifest(FLOW.silver).rows_out == 12
    content = older.lake.read("bronze", older.manifest(FLOW.bronze).only_object())
    assert content == BEFORE["bronze", KEPT]
