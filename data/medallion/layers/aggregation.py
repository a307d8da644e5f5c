"""Grouping: each task makes partial groups, and one step joins them. Pure, except for reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..flow import Aggregate, Measure
from ..lake import parquet
from ..lake.manifest import StoredObject
from ..lake.partitions import Partitioning
from ..table import Table, texts_of
from ..work.shuffle import Segment, ShuffleFile, TaskContext, gather, hashes, scatter, slots_of
from .errors import MeasureTooLarge

# No column of a table can have these names, and no Arrow aggregate.
PARTITION = "\0partition"  # the index of each row's partition
KEY = "\0key "  # the prefix of a key column's name

HASHES = pa.schema([("hash", pa.uint64())])
HASHES_AT_ONCE = 4_000_000  # in one task

EXACT = pa.decimal128(38, 0)
"""The type for sums of integers: a sum can be larger than int64, or than a float holds exactly."""

ROWS = "count_all"  # Arrow's name for the number of rows in a group

PARTIAL = {"sum": ("sum",), "mean": ("sum", "count"), "min": ("min",), "max": ("max",)}
"""A measure's function to the Arrow functions that a partial group stores for it."""

JOINED = {"sum": "sum", "count": "sum", "min": "min", "max": "max"}
"""An Arrow function of a partial group to the function that joins several of its values."""


def group_objects(
    context: TaskContext,
    table: Table,
    aggregates: Sequence[Aggregate],
    entries: Sequence[StoredObject],
    name: str,
    buckets: int,
) -> tuple[list[pa.Table], ShuffleFile]:
    """Group the rows of some silver objects; errors as of `Lake.read` and `parquet.decode`.

    Returns:
        One table per aggregate: its keys, and the partial values of each group. And a shuffle file
        of this name, with the hash of each row's key, in so many buckets.
    """
    named = [name for a in aggregates for name in (*a.keys, *(m.column for m in a.measures))]
    used = dict.fromkeys((*filter(None, named), *table.keys))
    inside = [name for name in used if name not in table.partitions]
    schema = pa.schema(map(table.schema.field, inside))
    partitioning = Partitioning(table.partition_schema)

    tables = [
        parquet.decode(f"silver/{entry.key}", content, entry, schema)
        for entry, content in context.lake.contents("silver", entries)
    ]
    numbers = np.arange(len(tables), dtype=np.int32)
    index = pa.array(numbers.repeat([len(rows) for rows in tables]))
    rows = pa.concat_tables(tables).append_column(PARTITION, index).combine_chunks()
    partitions = partitioning.columns([partitioning.of_key(entry.key) for entry in entries])
    columns = dict(zip(table.partitions, partitions, strict=True))
    keys = {n: columns[n].take(index) if n in columns else rows[n] for n in table.keys}
    found = hashes(texts_of(pa.table(keys), table.keys))
    slots = slots_of(found, buckets)
    keys_file = scatter(context.scratch, name, pa.table([found], HASHES), slots, buckets)
    return [_partial(aggregate, rows, columns) for aggregate in aggregates], keys_file


def count_distinct(context: TaskContext, segments: Sequence[Segment]) -> int:
    """The number of distinct hashes in a bucket."""
    return len(np.unique(gather(context.scratch, segments, HASHES)["hash"].to_numpy()))


def join_groups(schema: pa.Schema, aggregate: Aggregate, partial: Sequence[pa.Table]) -> pa.Table:
    """The gold table of partial groups, by key; MeasureTooLarge if a type is too small."""
    if not partial:
        return schema.empty_table()
    groups = _regrouped(aggregate, pa.concat_tables(partial))
    columns = {name: groups[KEY + name] for name in aggregate.keys}
    for measure in aggregate.measures:
        kind = schema.field(measure.name).type
        try:
            columns[measure.name] = _measured(measure, groups).cast(kind)
        except pa.ArrowInvalid:
            raise MeasureTooLarge(measure.name, str(measure.column), str(kind)) from None
    return pa.table(columns).sort_by([(name, "ascending") for name in aggregate.keys])


def _partial(aggregate: Aggregate, rows: pa.Table, partitions: dict[str, pa.Array]) -> pa.Table:
    """Group rows by partition and by the other keys, then replace partitions by their values."""
    measured = {m.column for m in aggregate.measures if m.column in partitions}
    for name in measured:
        rows = rows.append_column(name, partitions[name].take(rows[PARTITION].combine_chunks()))
    inside = [name for name in aggregate.keys if name not in partitions]
    for name in inside:
        rows = rows.append_column(KEY + name, rows[name])
    for name in {column for column, function in _kept(aggregate) if function == "sum"}:
        if pa.types.is_integer(rows.schema.field(name).type):
            number = rows.schema.get_field_index(name)
            rows = rows.set_column(number, name, rows[name].cast(EXACT))
    by = [PARTITION, *(KEY + name for name in inside)]
    groups = rows.group_by(by, use_threads=False).aggregate([([], ROWS), *_kept(aggregate)])
    numbers = groups[PARTITION].combine_chunks()
    for name in aggregate.keys:
        if name in partitions:
            groups = groups.append_column(KEY + name, partitions[name].take(numbers))
    return _regrouped(aggregate, groups.drop_columns([PARTITION]))


def _regrouped(aggregate: Aggregate, groups: pa.Table) -> pa.Table:
    """Join groups that have the same keys."""
    kept = [(ROWS, "sum"), *((f"{c}_{f}", JOINED[f]) for c, f in _kept(aggregate))]
    by = [KEY + name for name in aggregate.keys]
    found = groups.group_by(by, use_threads=False).aggregate(kept)
    names = {f"{column}_{function}": column for column, function in kept}
    return found.rename_columns([names.get(name, name) for name in found.column_names])


def _kept(aggregate: Aggregate) -> list[tuple[str, str]]:
    """The partial values of each group: pairs of a column and an Arrow function."""
    pairs = ((m.column, f) for m in aggregate.measures for f in PARTIAL.get(m.function, ()))
    return list(dict.fromkeys(pairs))


def _measured(measure: Measure, groups: pa.Table) -> pa.ChunkedArray:
    if measure.function == "count":
        return groups[ROWS]
    if measure.function == "mean":
        total, number = (groups[f"{measure.column}_{f}"] for f in ("sum", "count"))
        some = pc.if_else(pc.greater(number, 0), number, None)
        return pc.divide(total.cast(pa.float64()), some)
    return groups[f"{measure.column}_{measure.function}"]
