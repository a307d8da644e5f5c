"""Any records, through the API, bronze, silver and gold: every row is accounted for."""

import io
import json
from collections import Counter

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.breweries.flow import FLOW
from data.medallion.lake.partitions import Partitioning
from sandbox.breweries.generator import generate
from tests.conftest import raw_get
from tests.faults.runs import through_blocks

LOCATIONS = Partitioning(FLOW.table.partition_schema)

text = st.text(max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([0.5, -120.25]) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
places = st.sampled_from(["Ohio", "a/b", "a=b", "%41", "..", " ", "", "x" * 260, "🍺"]) | text
records = st.one_of(
    st.sampled_from(generate(200, seed=8)),
    st.fixed_dictionaries(
        {"id": text, "country": places, "state_province": places},
        optional={"name": anything, "brewery_type": text, "phone": anything, "latitude": anything},
    ),
    text,
    st.none(),
)


@pytest.mark.slow
def test_any_records_are_accounted_for(world, tell, every):
    world.set(BREWERIES_STOP_ON="none", BREWERIES_HISTORY_VERSIONS=1)
    examples = 300 if every else 15

    @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
    # The API counts rows, and a crawl distinct ids: equal ids are refused as incomplete.
    @given(st.lists(records, min_size=1, max_size=30, unique_by=identity))
    def holds(received):
        world.api.records = received
        through_blocks((FLOW.bronze, FLOW.silver, FLOW.gold[0]))
        bronze = json.loads(raw_get(world.lake, "bronze", FLOW.bronze.object))
        assert Counter(map(key, bronze)) == Counter(map(key, received))

        silver = world.manifest(FLOW.silver)
        rejected = json.loads(raw_get(world.lake, "silver", FLOW.rejected))
        accounted = silver.rows_out + silver.rows_rejected + silver.rows_duplicate
        assert accounted == len(received)
        assert silver.rows_rejected == len(rejected)
        assert all(key(bronze[r["position"]]) == key(r["record"]) for r in rejected)

        rows = Counter()
        for entry in silver.objects:
            table = pq.read_table(io.BytesIO(world.lake.read("silver", entry)))
            for kind in table["brewery_type"].to_pylist():
                rows[(*LOCATIONS.of_key(entry.key), kind)] += 1
        assert rows.total() == silver.rows_out
        gold = pq.read_table(
            io.BytesIO(raw_get(world.lake, "gold", FLOW.gold[0].object))
        ).to_pylist()
        counted = {(r["country"], r["state"], r["brewery_type"]): r["brewery_count"] for r in gold}
        assert counted == rows

    holds()
    tell("any records (hypothesis)", examples, "every row accounted for")


def identity(record):
    return (record.get("id") if isinstance(record, dict) else None) or object()


def key(record):
    return json.dumps(record, sort_keys=True)
