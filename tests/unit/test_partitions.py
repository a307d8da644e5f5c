import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries import partitions

AWKWARD = ["Açores", "Vila Real", "Hawke's Bay", "a/b", "a=b", "100%", "%41", "..", ".", "🍺", " x"]
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(texts, texts)
def test_a_location_survives_its_key(country, state):
    key = f"data/breweries/{partitions.partition(country, state)}/0.parquet"
    assert partitions.location(key) == (country, state)
    assert key.count("/") == 4


@pytest.mark.parametrize("state", AWKWARD)
def test_pyarrow_reads_the_key_as_we_do(tmp_path, state):
    folder = tmp_path / partitions.partition("Land", state)
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["1"]}), folder / "0.parquet")
    schema = pa.schema([(name, pa.string()) for name in ("id", "country", "state")])
    table = ds.dataset(
        tmp_path, partitioning=ds.partitioning(schema.remove(0), flavor="hive")
    ).to_table()
    assert table.to_pylist() == [{"id": "1", "country": "Land", "state": state}]


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
    assert partitions.problem("Land", state) == problem
