"""`read.table` and its kin: whole, typed, checked, and by a user that only reads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.errors import SettingError
from data.medallion.lake import errors, s3
from data.medallion.lake.manifest import MANIFEST_VERSION, sealed
from data.medallion.lake.s3 import S3Store
from data.medallion.read.__main__ import main
from data.medallion.read.errors import ColumnUnknown, DatasetUnknown, ValueOfOtherType
from tests.read.conftest import UNUSABLE, streamed
from tests.story import named, publish

pytestmark = pytest.mark.server
SILVER, GOLD, BRONZE = "silver/breweries", "gold/state_brewery_type", "bronze/breweries"


def test_a_table_is_one_whole_version_with_its_types(past):
    table = read.table(SILVER)
    assert table.schema.remove_metadata() == pa.schema([c.declared for c in FLOW.table.located])
    assert [f.name for f in table.schema if not f.nullable] == ["id", "name", "country", "state"]
    assert b"degrees north" in table.schema.field("latitude").metadata[b"comment"]
    names = {r["id"]: r["name"].strip() for r in past.world.api.records if "name" in r}
    assert dict(zip(*table.select(["id", "name"]).to_pydict().values(), strict=True)) == names
    told = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    newest = past.manifests[-1][SILVER]
    assert told == {"version": "3", "run": newest.run, "snapshot": newest.snapshot}
    counts = read.table(GOLD)
    declared = [column.declared for column in FLOW.aggregates[0].columns(FLOW.table)]
    assert counts.schema.remove_metadata() == pa.schema(declared)
    assert sum(counts["brewery_count"].to_pylist()) == len(names) == 57
    records = read.table(BRONZE)
    assert records["position"].to_pylist() == list(range(58))
    received = map(json.loads, records["record"].to_pylist())
    assert sorted(received, key=str) == sorted(past.world.api.records, key=str)


def test_only_what_is_asked_for_is_fetched(past, monkeypatch):
    country = read.table(SILVER, ["country"])["country"].to_pylist()
    wanted = sorted(set(country))[:2]
    fetched = streamed(monkeypatch)
    table = read.table(SILVER, ["country", "id"], {"country": wanted})
    assert table.column_names == ["country", "id"]
    assert len(table) == sum(country.count(name) for name in wanted)
    fetched.remove(FLOW.silver.manifest)
    assert len(fetched) == len({key.rpartition("/")[0] for key in fetched}) < len(set(country))
    micro = read.table(SILVER, ["id"], {"country": wanted, "brewery_type": {"micro", None}})
    assert 0 < len(micro) <= len(table)
    assert len(read.table(GOLD, where={"country": "Atlantis"})) == 0


def test_rejects_and_changes_are_read_like_tables(past):
    (row,) = read.rejected(SILVER).to_pylist()
    assert (row["reason"], json.loads(row["record"])) == ("no name", UNUSABLE[0])
    assert json.loads(read.table(BRONZE)["record"][row["position"]].as_py()) == UNUSABLE[0]
    assert read.changes(SILVER)["counts"] == past.manifests[-1][SILVER].changes.model_dump()
    assert read.manifest("gold/visualizations") == past.manifests[-1]["gold/visualizations"]


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: read.table("silver/brewery"), DatasetUnknown, "choose one of bronze/breweries, "),
        (lambda: read.table("gold/visualizations"), DatasetUnknown, "choose one of bronze"),
        (lambda: read.table(SILVER, ["nome"]), ColumnUnknown, "no column 'nome'; choose some of"),
        (lambda: read.table(SILVER, where={"id": 5}), ValueOfOtherType, "of its type, string"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(past, call, kind, says):
    with pytest.raises(kind, match=says):
        call()


def test_a_store_that_is_down_or_not_told_of(past, monkeypatch):
    monkeypatch.setattr(s3, "RETRIES", 0)
    monkeypatch.setenv("MINIO_ENDPOINT", "127.0.0.1:9")
    with pytest.raises(errors.StoreUnreachable, match="check MINIO_ENDPOINT"):
        read.table(SILVER)
    monkeypatch.delenv("MINIO_ENDPOINT")
    with pytest.raises(SettingError, match="MINIO_ENDPOINT is required"):
        read.table(SILVER)


def test_a_reader_writes_nothing(past, monkeypatch):
    """tests/security reads as a user that may do no more."""
    for method in ("put", "create", "remove", "copy", "create_bucket"):
        monkeypatch.setattr(S3Store, method, None)
    assert len(read.table(SILVER)) == 57 and len(read.rejected(SILVER)) == 1
    monkeypatch.setenv("LAKE_BUCKET_PREFIX", "nobody-")
    with pytest.raises(errors.BucketMissing, match="no bucket nobody-silver; run the pipeline"):
        read.table(SILVER)


# -- lakes that are not whole; each has its own ---


def answer(world, name, count, *more):
    """Publish some breweries; the snapshot."""
    world.api.records = [*named(name, count), *more]
    return publish(drawn=False)


def test_three_hundred_reads_while_a_run_publishes_in_a_loop(small):
    snapshots = [answer(small, "A", 2), answer(small, "B", 3)]
    ended, published = threading.Event(), []

    def loop():
        while not ended.is_set():
            for snapshot in snapshots:
                published.append(publish(drawn=False, snapshot=snapshot))

    def look(number):
        if number % 2:
            return tuple(read.table(SILVER, ["name"])["name"].to_pylist())
        return ("gold", sum(read.table(GOLD)["brewery_count"].to_pylist()))

    publishing = threading.Thread(target=loop)
    publishing.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(look, range(300)))
    finally:
        ended.set()
        publishing.join()
    assert set(seen) == {("A",) * 6, ("B",) * 9, ("gold", 6), ("gold", 9)}
    assert len(published) >= 4


def test_an_empty_lake_has_no_versions_and_names_the_block_to_run(small):
    for path, block in ((BRONZE, "extract_breweries_data"), (SILVER, ""), (GOLD, "")):
        with pytest.raises(errors.ManifestMissing, match=f"run the block {block}"):
            read.table(path)
    assert read.versions(SILVER) == []
    with pytest.raises(errors.ManifestMissing, match="run the block"):
        read.table(SILVER, at="2026-11-18")
    assert main(["check", "--flow", "breweries"]) == 1


def test_a_state_of_digits_stays_text(small):
    answer(small, "A", 1)
    assert read.table(SILVER, ["state"], {"country": "Isle"}).to_pylist() == [{"state": "11"}]


def test_each_damage_of_a_lake_is_told(small):
    answer(small, "A", 2, "no brewery")
    store, manifest = small.lake.store, small.manifest(FLOW.silver)
    more = manifest.model_copy(update={"rows_out": 7})
    small.publish_manifest(FLOW.silver, more)
    with pytest.raises(
        errors.ObjectDiffers, match="rows of its objects 6 where its manifest says 7"
    ):
        read.table(SILVER)
    newer = manifest.model_copy(update={"manifest_version": MANIFEST_VERSION + 1})
    small.publish_manifest(FLOW.silver, newer)
    with pytest.raises(errors.ManifestTooNew, match="bring this installation to the release"):
        read.table(SILVER)
    for key in (FLOW.silver.manifest, FLOW.silver.entry(3)):
        store.put("silver", key, sealed(manifest.model_copy(update={"version": 3})))
    rejected = manifest.copy_at(FLOW.rejected).object.key
    store.put("silver", rejected, b"[" * 100_000)
    with pytest.raises(errors.ObjectDiffers):
        read.rejected(SILVER)
    store.put("silver", manifest.objects[0].key, b"other")
    with pytest.raises(errors.ObjectDiffers, match="run the pipeline from its first block"):
        read.table(SILVER)
    store.remove("silver", [manifest.objects[0].key])
    with pytest.raises(errors.ObjectMissing, match="is missing; run the pipeline"):
        read.table(SILVER)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[" * 100_000, b'"\\ud800"', b"\xff", b'{"manifest_version":1}']
)
def test_whatever_stands_in_the_log_is_a_sentence(small, damage):
    answer(small, "A", 1)
    for key in (FLOW.silver.manifest, FLOW.silver.entry(1)):
        small.lake.store.put("silver", key, damage)
    for ask in (read.table, read.rejected, read.manifest, read.versions, read.changes):
        with pytest.raises(
            errors.ManifestUnreadable, match="run the block transform_breweries again"
        ):
            ask(SILVER)
    with pytest.raises(errors.ManifestUnreadable):
        read.table(SILVER, at="2026-11-18")


def test_many_rejected_rows_are_read(small):
    answer(small, "A", 1, *({"id": f"x{n}"} for n in range(6_000)))
    table = read.rejected(SILVER)
    assert len(table) == 6_000 and table.schema.field("position").type == pa.int64()
