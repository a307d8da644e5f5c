"""The values of a partition's columns in an object's key, and back."""

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from data.medallion.lake.errors import ObjectUnreadable
from data.medallion.lake.partitions import Partitioning, text_of

# Tidied text holds no NUL, which pyarrow's `format` loses.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(letters, min_size=1, max_size=60)
integers = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = Partitioning(pa.schema([("country", pa.string()), ("state", pa.string())]))
KINDS = {"country": pa.string(), "year": pa.int64(), "open": pa.bool_()}
MIXED = Partitioning(pa.schema(KINDS))
mixed = st.tuples(texts, integers, st.booleans())


@given(mixed)
@example(("", 0, False))
def test_a_partition_survives_its_key(partition):
    key = f"data/stations/{MIXED.path(partition)}/0.parquet"
    assert key.count("/") == 5
    if partition[0]:
        found = MIXED.of_key(key)
        assert found == partition
        assert list(map(type, found)) == [str, int, bool]


@given(mixed)
@example(("%41", -1, True))
def test_a_path_is_what_pyarrow_writes(partition):
    country, year, is_open = (
        ds.field(name) == value for name, value in zip(KINDS, partition, strict=True)
    )
    folder, _ = ds.HivePartitioning(MIXED.schema).format(country & year & is_open)
    assert MIXED.path(partition) == folder.rstrip("/")


@given(st.lists(mixed, max_size=5))
def test_the_partition_of_each_row_is_a_text(partitions):
    rows = pa.table(MIXED.columns(partitions), MIXED.schema)
    found = MIXED.texts(rows).to_pylist()
    assert found == list(map(text_of, partitions))
    assert list(map(MIXED.of_text, found)) == partitions


def test_a_row_without_one_of_the_values_has_no_partition():
    rows = pa.Table.from_pylist([{"country": "Land", "open": True}], MIXED.schema)
    assert MIXED.texts(rows).to_pylist() == [None]


@pytest.mark.parametrize(
    "key",
    ["data/stations/0.parquet", "data/stations/country=A/0.parquet",
     "data/stations/country=A/year=1987/0.parquet", "data/stations/country=A/year=x/open=true/0",
     "data/stations/country=A/year=1/open=perhaps/0",
     "data/stations/country=__HIVE_DEFAULT_PARTITION__/year=1/open=true/0"],
)  # fmt: skip
def test_a_key_without_its_partition_is_told(key):
    with pytest.raises(ObjectUnreadable, match="has no country and year and open") as caught:
        MIXED.of_key(key)
    assert caught.value.object == key


# Readers


def by_pyarrow(folder):
    return ds.dataset(folder, partitioning=ds.partitioning(MIXED.schema, flavor="hive")).to_table()


def by_duckdb(folder):
    types = "hive_types = {country: VARCHAR, year: BIGINT, open: BOOLEAN}"
    query = f"FROM read_parquet('{folder}/*/*/*/*.parquet', hive_partitioning = true, {types})"
    return duckdb.sql(query).to_arrow_table()


@pytest.mark.parametrize("read", [by_pyarrow, by_duckdb])
def test_readers_get_the_partition_out_of_the_key(tmp_path_factory, read):
    """Through a real file of a real name, for any text."""

    @given(texts, integers, st.booleans())
    @example("..", 0, True)
    @example("a/b=c%41", -44, False)
    @example("__HIVE", 1987, True)
    @example("2026-01-01", (1 << 63) - 1, True)
    def reads(country, year, is_open):
        assume(MIXED.problem((country, year, is_open)) is None)
        if read is by_duckdb and duckdb.__version__.startswith("1."):  # on Python 3.10
            assume(country.lower() != "null")  # which it takes for no value
        folder = tmp_path_factory.mktemp("partitions")
        file = folder / MIXED.path((country, year, is_open)) / "0.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({"id": ["1"]}), file)
        row = {"id": "1", "country": country, "year": year, "open": is_open}
        assert read(folder).to_pylist() == [row]

    reads()


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
    assert TEXTS.problem(("Land", state)) == problem


long = st.builds(str.__mul__, st.sampled_from(["x", "é", "🍺", "%"]), st.integers(1, 260))
value_or_none = st.none() | texts | long | st.just("__HIVE_DEFAULT_PARTITION__")


@given(st.lists(st.tuples(value_or_none, value_or_none)))
def test_what_cannot_be_a_key_is_told_of_each_row(partitions):
    rows = pa.table(TEXTS.columns(partitions), TEXTS.schema)
    expected = [None if None in each else TEXTS.problem(each) for each in partitions]
    assert TEXTS.problems(rows).to_pylist() == expected
