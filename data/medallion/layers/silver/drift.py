"""Drift: the profile of the data, and the changes since the previous version that people must see.

Pure functions. Silver's manifest stores the profile and the drifts that did not stop the run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...lake.manifest import CELLS_A_DEGREE, Cells, Changes, Drift, Fields, Profile
from ...rules import RULES
from ...table import Table

RARE = 0.01  # share of the rows; a column with fewer values may lose all of them without drift
LEAP = 0.005  # share of the rows; bad values or records may increase by this without drift
JSON_TYPES = {
    str: ("string",),
    int: ("number",),
    float: ("number",),
    bool: ("boolean",),
    dict: ("object",),
    list: ("array",),
}


@dataclass(frozen=True)
class Seen:
    """What some records look like."""

    fields: Fields
    unreadable: Counter[str] = field(default_factory=Counter)
    """As in `Profile`: column to its number of unreadable values."""
    values: Counter[str] = field(default_factory=Counter)
    """Column to its number of other values; without the columns whose fields no record has."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Reason to its number of rejects."""
    examples: dict[str, str] = field(default_factory=dict, compare=False)
    """Column to one of its unreadable values."""


@dataclass(frozen=True)
class Outcome:
    """What became of a version's records: the profile of the rows, and the other records."""

    profile: Profile
    rejected: int = 0
    duplicate: int = 0


Found = tuple[str, str, str]
"""The rule, the subject and the sentence of a drift."""


def profile_of(table: Table, rows: pa.Table) -> Profile:
    """The profile of some silver rows, without the fields of the records."""

    def counts(column: str) -> dict[str, int]:
        counted = rows[column].drop_null().cast(pa.string()).value_counts().to_pylist()
        return {item["values"]: item["counts"] for item in counted}

    return Profile(
        rows=len(rows),
        fields={},
        values={name: len(rows) - rows[name].null_count for name in table.schema.names},
        counts={column.name: counts(column.name) for column in table.columns if column.counted},
        cells=cells_of(rows.select(table.coordinates)) if table.coordinates else {},
    )


def cells_of(rows: pa.Table) -> Cells:
    """Count rows on the globe by map cell; their columns are longitude and latitude in degrees."""
    east, north = rows.columns
    on_globe = pc.and_(pc.less_equal(pc.abs(east), 180), pc.less_equal(pc.abs(north), 90))
    columns = rows.filter(on_globe).columns
    cells = [pc.floor(pc.multiply(column, CELLS_A_DEGREE)).cast(pa.int32()) for column in columns]
    counted = pa.table(cells, "xy").group_by(["x", "y"], use_threads=False)
    found = counted.aggregate([([], "count_all")]).select(["x", "y", "count_all"])
    return {f"{x} {y}": rows for x, y, rows in zip(*found.to_pydict().values(), strict=True)}


def whole(parts: Iterable[Profile], seen: Seen) -> Profile:
    """Join the profiles of parts of the rows into one, and add what the records look like."""
    rows, values, cells = 0, Counter[str](), Counter[str]()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for part in parts:
        rows += part.rows
        values.update(part.values)
        cells.update(part.cells)
        for column, counted in part.counts.items():
            counts[column].update(counted)
    return Profile(
        rows=rows,
        fields=seen.fields,
        values=values,
        counts={column: dict(sorted(counted.items())) for column, counted in counts.items()},
        unreadable=dict(sorted(seen.unreadable.items())),
        cells=dict(sorted(cells.items())),
    )


def fields_of(records: Iterable[Mapping[str, Any]]) -> Fields:
    """The fields of some records, and the JSON types of each field."""
    # Records share few shapes, and to compare a shape is much faster than to analyse it.
    shapes: set[tuple[Any, ...]] = {(*record, *map(type, record.values())) for record in records}
    halves = ((shape[: len(shape) // 2], shape[len(shape) // 2 :]) for shape in shapes)
    return join_fields(
        {name: JSON_TYPES.get(kind, ()) for name, kind in zip(*both, strict=True)}
        for both in halves
    )


def join_fields(parts: Iterable[Fields]) -> Fields:
    """Join the fields of several batches."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for name, types in part.items():
            found.setdefault(name, set()).update(types)
    return {name: tuple(sorted(types)) for name, types in sorted(found.items())}


def seen_in_all(parts: Iterable[Seen]) -> Seen:
    """Join what several batches look like."""
    every = list(parts)
    seen = Seen(join_fields(part.fields for part in every))
    for part in every:
        seen.unreadable.update(part.unreadable)
        seen.values.update(part.values)
        seen.reasons.update(part.reasons)
        seen.examples.update(part.examples | seen.examples)
    return seen


def find_drifts(
    table: Table,
    before: Outcome | None,
    after: Outcome,
    changes: Changes,
    seen: Seen,
    largest_fall: float,
) -> tuple[Drift, ...]:
    """Find the drifts between two versions; the first version has none before.

    `changes` counts the rows that differ, and `seen` is what all records look like. `largest_fall`
    is the percentage of the previous rows that may be missing; of a first version, of the records
    and values that may be lost.
    """
    was, now = before.profile if before else None, after.profile
    found = [*_unknown(table, now), *_lost(table, was, now, seen, largest_fall / 100)]
    rejected = after.rejected - (before.rejected if before else 0)
    duplicate = after.duplicate - (before.duplicate if before else 0)
    rows = was.rows if was else now.rows + rejected + duplicate
    many, leap = rows * largest_fall / 100, rows * LEAP
    if rejected > leap:
        rule = "rejected_leap" if was or rejected <= many else "many_rejected"
        said = "more records than before" if was else f"of {rows:,} records"
        (reason, _), *_ = seen.reasons.most_common(1)
        is_partition = reason.removeprefix("no ") in table.partitions
        what = f"{rejected:,} {said} are rejected, most often with the reason {reason!r}"
        what += " (partition columns are required)" * is_partition
        found.append((rule, "rejected", what))
    if was:
        found += [*_rows(was, now, changes, many), *_values(table, was, now), *_fields(was, now)]
        if duplicate > leap:
            what = f"{duplicate:,} more records than before have an id that comes again"
            found.append(("duplicate_leap", "duplicate", what))
    order = list(RULES)
    found.sort(key=lambda drift: (order.index(drift[0]), drift[1]))
    return tuple(Drift(rule=rule, subject=subject, what=what) for rule, subject, what in found)


def _rows(before: Profile, after: Profile, changes: Changes, many: float) -> Iterator[Found]:
    fallen, had = before.rows - after.rows, f"of {before.rows:,}"
    if fallen > many:
        what = f"{before.rows:,} rows fell to {after.rows:,}, by {fallen / before.rows:.1%}"
        yield "row_fall", "rows", what
    if changes.removed > many and changes.added:
        what = f"{changes.removed:,} {had} ids are gone, and {changes.added:,} have come"
        yield "ids_replaced", "id", what
    if changes.moved > many:
        yield "rows_moved", "rows", f"{changes.moved:,} {had} rows moved to another partition"
    if changes.recategorized > many:
        what = f"{changes.recategorized:,} {had} rows have another of the accepted values"
        yield "rows_recategorized", "rows", what


def _lost(
    table: Table, before: Profile | None, after: Profile, seen: Seen, share: float
) -> Iterator[Found]:
    for column in table.columns:
        name, lost = column.name, seen.unreadable[column.name]
        values = lost + seen.values[name]
        what = f"{name}: {lost:,} of {values:,} values cannot be read, for example "
        what += seen.examples.get(name, "")
        is_empty = after.values.get(name, after.rows) == 0
        if before and name in {*before.values, *table.partitions}:
            had = before.unreadable.get(name, 0)
            if lost and (is_empty or lost - had > before.rows * LEAP):
                yield "column_unreadable", name, f"{what}, after {had:,} before"
        elif column.fields and name not in seen.values:
            yield "field_missing", name, f"no record has the field {' or '.join(column.fields)}"
        elif lost:
            yield "many_unreadable" if lost > values * share else "column_unreadable", name, what
        elif is_empty and after.rows:
            yield "column_null", name, f"{name} is null in every row"


def _values(table: Table, before: Profile, after: Profile) -> Iterator[Found]:
    for name, values in before.values.items():
        # If silver's table no longer has the column, the data did not drift.
        if values > before.rows * RARE and after.values.get(name) == 0:
            yield "column_gone", name, f"{name} had {values:,} values and has none"
    for column in table.columns:
        # An older release may not have counted this column, so its values are unknown.
        if not column.alert_on_change or column.name not in before.counts:
            continue
        was, now = before.counts[column.name], after.counts.get(column.name, {})
        for value in was.keys() - now.keys():
            what = f"the {column.name} {value} had {was[value]:,} rows and has none"
            yield "value_gone", value, what
        for value in now.keys() - was.keys():
            what = f"the {column.name} {value} is new, with {now[value]:,} rows"
            yield "new_value", value, what


def _fields(before: Profile, after: Profile) -> Iterator[Found]:
    for name in after.fields.keys() - before.fields.keys():
        kinds = " and ".join(after.fields[name]) or "null alone"
        yield "new_field", name, f"the field {name} is new ({kinds})"
    for name in before.fields.keys() & after.fields.keys():
        was, now = before.fields[name], after.fields[name]
        if was and not set(now) <= set(was):
            what = f"{name} was {' and '.join(was)}, and is {' and '.join(now)}"
            yield "type_changed", name, what


def _unknown(table: Table, after: Profile) -> Iterator[Found]:
    for column in table.columns:
        for value, rows in after.counts.get(column.name, {}).items():
            if column.accepted_values is not None and value not in column.accepted_values:
                what = f"{rows:,} rows have the unknown {column.name} {value!r}"
                yield "unknown_value", value, what
