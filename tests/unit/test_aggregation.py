"""Gold's groups beside an independent count in plain Python."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.flow import Aggregate, Measure, count
from data.medallion.lake import parquet
from data.medallion.lake.manifest import StoredObject
from data.medallion.lake.partitions import Partitioning
from data.medallion.layers.aggregation import count_distinct, group_objects, join_groups
from data.medallion.layers.errors import MeasureTooLarge
from data.medallion.layers.gold import schema_of
from data.medallion.table import Column, Table
from data.medallion.work.shuffle import Folder, TaskContext, segments_of
from tests.stations import HEIGHTS, STATIONS, TABLE, YEARS

FUNCTIONS = {"sum": sum, "mean": fmean, "min": min, "max": max}
OF_COLUMNS = {
    "height": FUNCTIONS, "number": ["sum", "mean"], "opened_at": ["min", "max"],
    "name": ["min", "max"], "year": ["sum"], "country": ["max"],
}  # fmt: skip
MEASURES = (
    Measure(f"{f}_{column}", f, column) for column, some in OF_COLUMNS.items() for f in some
)
ALL = Aggregate("all_of_them", ("year", "kind", "open"), (count("rows"), *MEASURES))
BY_KEY = Aggregate("by_country", ("country",), (count("rows"), Measure("last", "max", "year")))

moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))
heights = st.integers(-430 * 8, 8849 * 8).map(lambda eighths: eighths / 8)  # sums are exact
rows = st.fixed_dictionaries(
    {
        "number": st.integers(-(1 << 40), 1 << 40),
        "name": st.sampled_from(["Ä", "a", "B", "Zz", "z\U0001f37a"]),
        "kind": st.none() | st.sampled_from(["sea", "land", "mud"]),
        "open": st.none() | st.booleans(),
        "height": st.none() | heights,
        "opened_at": moments,
        "country": st.sampled_from(["Norway", "a/b", "Åland", "1"]),
        "year": st.integers(1986, 1988),
    }
)


class InMemoryLake:
    """A context whose lake has some objects."""

    def __init__(self, received, flow):
        self.content, self.entries = {}, []
        partitioning = Partitioning(flow.table.partition_schema)
        partition_of = itemgetter(*flow.table.partitions)
        for values, group in groupby(sorted(received, key=partition_of), partition_of):
            table = pa.Table.from_pylist(list(group), flow.table.schema)
            content = parquet.encode(table)
            partition = values if isinstance(values, tuple) else (values,)
            key = f"{flow.silver.prefix}{partitioning.path(partition)}/0.parquet"
            self.content[key] = content
            self.entries.append(StoredObject.of(key, len(table), content))

    def contents(self, layer, entries):
        return ((entry, self.content[entry.key]) for entry in entries)


def grouped(received, aggregates, tasks=1, flow=STATIONS):
    """The gold tables of some rows, their objects dealt out to a number of tasks."""
    lake = InMemoryLake(received, flow)
    shares = filter(None, (lake.entries[n::tasks] for n in range(tasks)))
    with TemporaryDirectory() as folder:
        context = TaskContext(lake, Folder(Path(folder)))
        group = partial(group_objects, context, flow.table, aggregates)
        found = [group(share, f"keys-{n}", 2) for n, share in enumerate(shares)]
        pieces = [piece for _, piece in found]
        distinct = sum(count_distinct(context, segments_of(pieces, bucket)) for bucket in range(2))
    assert distinct == len({tuple(row[key] for key in flow.table.keys) for row in received})
    return [
        join_groups(schema_of(flow.table, a), a, [groups[n] for groups, _ in found])
        for n, a in enumerate(aggregates)
    ]


def in_python(received, aggregate):
    def measured(measure, rows):
        if measure.function == "count":
            return len(rows)
        values = [row[measure.column] for row in rows if row[measure.column] is not None]
        return FUNCTIONS[measure.function](values) if values else None

    groups = defaultdict(list)
    for row in received:
        groups[tuple(row.get(name) for name in aggregate.keys)].append(row)
    return {
        key: {measure.name: measured(measure, rows) for measure in aggregate.measures}
        for key, rows in groups.items()
    }


@given(st.lists(rows, max_size=25), st.integers(1, 3))
@example([], 1)
def test_each_group_is_what_a_plain_count_gives(received, tasks):
    """The same bytes, however the rows are divided, and whatever else is counted at once."""
    aggregates = ALL, HEIGHTS, YEARS, BY_KEY
    for aggregate, table in zip(aggregates, grouped(received, aggregates, tasks), strict=True):
        assert parquet.encode(table) == parquet.encode(grouped(received, [aggregate])[0])
        assert table.schema == schema_of(TABLE, aggregate)
        keys = table.select(aggregate.keys)
        assert keys.equals(keys.sort_by([(name, "ascending") for name in aggregate.keys]))
        assert sum(table[aggregate.count].to_pylist()) == len(received)
        expected = in_python(received, aggregate)
        found = {tuple(row.pop(name) for name in aggregate.keys): row for row in table.to_pylist()}
        assert len(found) == len(table) == len(expected)
        for key, measures in expected.items():
            for name, value in measures.items():
                close = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
                assert found[key][name] == close


def test_names_of_keys_and_measures_are_free():
    """Whatever Arrow calls what it keeps of a group."""
    keys = ("n_sum", "n_count", "count_all", "partition")
    table = Table((*map(Column, ("id", *keys)), Column("n", "int64")), ("partition",))
    of_n = {"partition_sum": "mean", "n": "sum", "n_min": "max"}
    measures = (count("count_all_sum"), *(Measure(name, f, "n") for name, f in of_n.items()))
    received = [{"id": str(n), "partition": "P", "n_sum": "x", "n": n} for n in range(4)]
    flow = replace(STATIONS, table=table)
    (found,) = grouped(received, [Aggregate("odd", keys, measures)], flow=flow)
    names = (*keys, *(measure.name for measure in measures))
    row = dict(zip(names, ("x", None, None, "P", 4, 1.5, 6, 3), strict=True))
    assert found.to_pylist() == [row]


@pytest.mark.parametrize("tasks", [1, 3])
def test_large_integers_add_up_exactly(tasks):
    row = {**dict.fromkeys(TABLE.schema.names), "name": "N", "year": 1}
    many = [(1 << 62, "A"), (1 << 62, "B"), (1 << 62, "C"), (-(1 << 63), "D"), (1, "E")]
    received = [{**row, "number": number, "country": country} for number, country in many]
    measures = (count("rows"), Measure("sum", "sum", "number"), Measure("mean", "mean", "number"))
    (table,) = grouped(received, [Aggregate("large", ("year",), measures)], tasks)
    total = sum(number for number, _ in many)
    assert total > 1 << 53
    assert table.to_pylist() == [{"year": 1, "rows": 5, "sum": total, "mean": total / 5}]


def test_a_sum_that_no_column_holds_is_refused_and_its_mean_is_not():
    row = {**dict.fromkeys(TABLE.schema.names), "name": "N", "country": "A", "year": 1}
    received = [{**row, "number": (1 << 63) - 1 - n} for n in range(3)]
    mean = Aggregate("mean", ("year",), (count("rows"), Measure("m", "mean", "number")))
    assert grouped(received, [mean])[0]["m"].to_pylist() == [float(1 << 63)]
    total = Aggregate("sum", ("year",), (count("rows"), Measure("s", "sum", "number")))
    with pytest.raises(MeasureTooLarge, match="measure s is more than int64 holds"):
        grouped(received, [total])
