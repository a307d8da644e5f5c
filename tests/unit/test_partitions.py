import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from data.medallion.lake import partitions as locations

AWKWARD = ["Açores", "Vila Real", "Hawke's Bay", "a/b", "a=b", "100%", "%41", "..", ".", "🍺", " x"]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(texts, texts)
def test_a_location_survives_its_key(country, state):
    key = f"data/breweries/{locations.partition(country, state)}/0.parquet"
    assert locations.location(key) == (country, state)
    assert key.count("/") == 4


def by_pyarrow(folder):
    location = pa.schema([(name, pa.string()) for name in ("country", "state")])
    return ds.dataset(folder, partitioning=ds.partitioning(location, flavor="hive")).to_table()


def by_pandas(folder):
    location = pa.schema([(name, pa.string()) for name in ("country", "state")])
    partitioning = ds.partitioning(location, flavor="hive")
    return pa.Table.from_pandas(pd.read_parquet(folder, partitioning=partitioning))


def by_duckdb(folder):
    types = "hive_types = {country: VARCHAR, state: VARCHAR}"
    query = f"FROM read_parquet('{folder}/*/*/*.parquet', hive_partitioning = true, {types})"
    return duckdb.sql(query).to_arrow_table()


@pytest.mark.parametrize("read", [by_pyarrow, by_pandas, by_duckdb])
def test_readers_get_the_location_out_of_the_key(tmp_path_factory, read):
    """Through a real file of a real name, for any text."""

    @given(texts, texts)
    @example("Land", "..")
    @example("%41", "a/b=c")
    @example("NULL", "__HIVE")
    @example("1", "2026-01-01")
    def reads(country, state):
        assume(locations.problem(country, state) is None)
        if read is by_duckdb and duckdb.__version__.startswith("1."):  # on Python 3.10
            assume("null" not in (country.lower(), state.lower()))  # which it takes for no value
        folder = tmp_path_factory.mktemp("partitions")
        file = folder / locations.partition(country, state) / "0.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({"id": ["1"]}), file)
        row = {"id": "1", "country": country, "state": state}
        assert read(folder).to_pylist() == [row]

    reads()


@pytest.mark.parametrize("state", AWKWARD)
def test_awkward_locations_of_the_past(tmp_path, state):
    folder = tmp_path / locations.partition("Land", state)
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["1"]}), folder / "0.parquet")
    assert by_pyarrow(tmp_path).to_pylist() == [{"id": "1", "country": "Land", "state": state}]


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("Kärnten", None),
        ("x" * 249, None),
        ("x" * 250, "state too long for a key"),
        ("🍺" * 21, "state too long for a key"),
        ("__HIVE_DEFAULT_PARTITION__", "state is the mark for null"),
    ],
)
def test_what_cannot_be_a_key_is_told(state, problem):
    assert locations.problem("Land", state) == problem
