"""The pipeline through real Mage, on a real store and a real HTTP server: what it writes."""

import io
import json
import re
from collections import Counter

import pandas as pd
import pyarrow.parquet as pq
import pytest

from data.breweries.flow import FLOW
from data.breweries.table import TABLE
from data.medallion import read
from data.medallion.lake.partitions import Partitioning
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.conftest import raw_get

LOCATIONS = Partitioning(FLOW.table.partition_schema)

DATASETS = (FLOW.bronze, FLOW.silver, FLOW.gold[0], FLOW.chart_dataset)


def test_bronze_holds_every_record_as_received(world):
    strange = {"id": "0", "name": "é", "country": "A", "state_province": "B", "hops": {"x": [1.0]}}
    world.api.records = [*world.api.records, strange]
    world.run()
    content = raw_get(world.lake, "bronze", "data/breweries/breweries_raw.json")
    records = json.loads(content)
    by_id = sorted(world.api.records, key=lambda record: record["id"])
    assert [r["id"] for r in records] == [r["id"] for r in by_id]
    assert records[0] == strange
    assert len(content.splitlines()) == len(records) + 2


@pytest.mark.usefixtures("filled")
def test_silver_objects_are_partitions_with_one_schema(world):
    named = {entry.key for entry in world.manifest(FLOW.silver).objects}
    assert named == {key for key in world.keys("silver") if key.endswith(".parquet")}
    run = world.manifest(FLOW.silver).run
    for entry in world.manifest(FLOW.silver).objects:
        assert re.fullmatch(
            rf"data/breweries/country=[^/]+/state=[^/]+/[0-9a-f]{{32}}-{run}\.parquet", entry.key
        )
        file = pq.ParquetFile(io.BytesIO(world.lake.read("silver", entry)))
        schema = file.schema_arrow
        assert (schema.names, schema.types) == (TABLE.schema.names, TABLE.schema.types)
        assert not file.schema_arrow.field("id").nullable
        ids = file.read()["id"].to_pylist()
        assert ids == sorted(ids)


def test_gold_is_an_independent_count_of_every_location(world):
    world.api.records = generate(600, seed=1)
    world.run()
    aliases = pd.read_csv("data/breweries/location_aliases.csv")
    same = {(a.country, a.state): a.same_as_state for a in aliases.itertuples()}

    def tidy(text):
        return text.replace("\u00c2\u00a0", " ").replace("\u00a0", " ").strip()

    expected = Counter()
    for record in world.api.records:
        country, state = tidy(record["country"]), tidy(record["state_province"])
        expected[country, same.get((country, state), state), record["brewery_type"].strip()] += 1
    content = raw_get(world.lake, "gold", "data/state_brewery_type/breweries_aggregated.parquet")
    gold = pd.read_parquet(io.BytesIO(content))
    assert list(gold.columns) == ["country", "state", "brewery_type", "brewery_count"]
    assert str(gold["brewery_count"].dtype) == "int64"
    counted = {tuple(keys): count for *keys, count in gold.itertuples(index=False)}
    assert [*counted] == sorted(counted, key=lambda key: [text.encode() for text in key])
    assert counted == expected


@pytest.mark.usefixtures("filled")
def test_a_second_run_without_change_writes_no_data_object(world):
    before, first = modified(world), world.manifest(FLOW.silver)
    world.run()
    after, second = modified(world), world.manifest(FLOW.silver)
    assert {key for key in before if before[key] != after[key]} <= MANIFESTS
    entries = {f"{dataset.layer}/{dataset.entry(2)}" for dataset in DATASETS}
    assert after.keys() == before.keys() | entries
    assert second.run > first.run
    assert (second.snapshot, second.objects) == (first.snapshot, first.objects)


MANIFESTS = {f"{dataset.layer}/{dataset.manifest}" for dataset in DATASETS}


def modified(world):
    """Each object of the lake to its content's tag and its time."""
    client = world.lake.store._client
    return {
        f"{layer}/{o.object_name}": (o.etag, o.last_modified)
        for layer in ("bronze", "silver", "gold")
        for o in client.list_objects(layer, recursive=True)
        if not (o.object_name or "").startswith("leases/")  # the race of a new day
    }


@pytest.mark.usefixtures("filled")
def test_only_what_changed_is_written_again(world):
    old, before = world.manifest(FLOW.silver), modified(world)
    records = [dict(record) for record in world.api.records]
    changed = next(r for r in records if r["state_province"] == "California")
    changed["name"] = "Another Name"
    world.api.records = records
    world.run()
    new, after = world.manifest(FLOW.silver), modified(world)
    gone = {entry.key for entry in old.objects} - {entry.key for entry in new.objects}
    added = {entry.key for entry in new.objects} - {entry.key for entry in old.objects}
    assert {LOCATIONS.of_key(key) for key in (*gone, *added)} == {("United States", "California")}
    assert len(gone) == len(added) == 1
    assert not gone & set(world.keys("silver"))
    kept = {f"silver/{entry.key}" for entry in new.objects} - {f"silver/{key}" for key in added}
    assert all(before[key] == after[key] for key in kept)


def test_earlier_answers_are_kept_and_can_be_replayed(world):
    world.run()
    first, first_objects = world.manifest(FLOW.bronze), world.published()
    assert history(world) == [first.snapshot]
    world.api.records = world.api.records[:-1]
    world.run()
    second = world.manifest(FLOW.bronze)
    assert history(world) == [first.snapshot, second.snapshot]
    world.run()
    assert history(world) == [first.snapshot, second.snapshot]

    requests = len(world.api.requests)
    world.run(snapshot=first.snapshot)
    assert len(world.api.requests) == requests
    replayed = world.manifest(FLOW.bronze)
    assert (replayed.snapshot, replayed.rows_out, replayed.replay) == (first.snapshot, 600, True)
    assert replayed.source.key == f"data/breweries/history/{first.snapshot}.json"
    assert data(world.published()) == data(first_objects)
    # It has a name of its own: a removal of the first one may still be under way.
    assert history(world) == sorted([second.snapshot, replayed.run])

    world.run()
    latest = world.manifest(FLOW.bronze)
    assert not latest.replay
    assert latest.source.sha256 == second.source.sha256
    assert history(world) == sorted([second.snapshot, replayed.run, latest.run])


def data(objects):
    """Without the change report and the page, which tell of a run."""
    return {k: c for k, c in objects.items() if "/changes/" not in k and "/report/" not in k}


def history(world):
    keys = world.lake.store.listed("bronze", "data/breweries/history/")
    return [key.rpartition("/")[2].removesuffix(".json") for key in keys]


def test_the_api_is_asked_politely(world):
    world.api.faults = Faults(rate_limit=0, latency_seconds=0.02)
    world.set(BREWERIES_API_PAGE_SIZE=20, BREWERIES_API_CONNECTIONS=3)
    world.run(test=False)
    assert world.api.most_at_once == 3
    assert {r.accept for r in world.api.requests} == {"application/json"}
    assert all(r.user_agent.startswith("breweries/") for r in world.api.requests)
    # 30 full pages, one to see that there is no more, and /meta before and after.
    assert len(world.api.requests) == 30 + 1 + 2


def test_the_older_contract_of_the_api_is_understood(world):
    world.api.faults = Faults(rate_limit=0, old_meta=True, string_coordinates=True)
    world.run()
    latitudes = read.table("silver/breweries", ["latitude"])["latitude"]
    assert len(latitudes) == 600 and 400 < 600 - latitudes.null_count < 560
