"""Cleaning: bronze records become silver rows, or rejects with a reason. Pure functions."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...lake.partitions import Partitioning
from ...lake.records import Item, Lines
from ...own_code import OwnCode
from ...table import POSITION, RECORD, Clean, Column, Table, record_hash, texts_of
from .drift import Seen, seen_in_all
from .reading import read_batches
from .record_batches import RecordBatch, as_object
from .tidying import tidied


@dataclass(frozen=True)
class Rejected:
    """A reject: the record as received, the reason, and its position in bronze, from 0."""

    record: str
    reason: str
    position: int

    def to_json(self) -> str:
        """The reject as one line of JSON, with the record as received."""
        reason = json.dumps(self.reason)
        return f'{{"reason":{reason},"position":{self.position},"record":{self.record}}}'


@dataclass(frozen=True)
class Cleaner:
    """Cleans records by the table's declaration and the flow's own rules. It can be pickled."""

    table: Table
    clean: Clean

    def __call__(
        self, lines: Lines, start: int = 0, refused: set[bytes] | None = None
    ) -> tuple[pa.Table, list[Rejected], Seen]:
        """Clean some records.

        Args:
            lines: the records' JSON, as received, in UTF-8.
            start: the position of the first record in bronze, from 0.
            refused: the state that `read_batches` keeps between the lines of a range.

        Returns:
            The usable rows as a table of `clean_schema`, in no order; the rejects by position;
            and what the records look like.
        """
        tables, rejected, seen = [self.table.clean_schema.empty_table()], [], []
        for batch in read_batches(lines, self.table, set() if refused is None else refused):
            columns, look = self._columns(batch)
            columns[POSITION] = pa.array(batch.numbers + start, pa.int64())
            schema = self.table.clean_schema
            rows = pa.table({name: columns[name] for name in schema.names}, schema)
            reasons = self._reasons(rows, batch.non_objects)
            unusable = pc.is_valid(reasons)
            for n in pc.indices_nonzero(unusable).to_pylist():
                number = int(batch.numbers[n])
                text = lines.text(number).decode()
                rejected.append(Rejected(text, reasons[n].as_py(), start + number))
            tables.append(rows.filter(pc.invert(unusable)) if unusable.true_count else rows)
            look.reasons.update(reasons.drop_null().to_pylist())
            seen.append(look)
        rejected.sort(key=attrgetter("position"))
        return pa.concat_tables(tables), rejected, seen_in_all(seen)

    def identities(self, items: Iterable[Item]) -> list[str | None]:
        """The key of each record as one text; None for a record without one."""
        lines = Lines.joined(text.encode() for text, _ in items)
        found: list[str | None] = [None] * len(lines)
        for batch in read_batches(lines, self.table, set()):
            keys = pa.table(self._columns(batch)[0])
            for number, key in zip(batch.numbers, texts_of(keys, self.table.keys), strict=True):
                found[number] = key.as_py()
        return found

    def _columns(self, batch: RecordBatch) -> tuple[dict[str, pa.Array], Seen]:
        """The declared columns, and what the records look like."""
        columns: dict[str, pa.Array] = {}
        seen = Seen(batch.fields)
        for column in self.table.columns:
            if column.derive:
                continue
            found = columns[column.name] = _found(column, batch)
            each = [pc.and_(pc.is_null(found), batch.unreadable(column, f)) for f in column.fields]
            lost = reduce(pc.or_, each)
            values = len(found) - found.null_count
            if values or lost.true_count or any(map(batch.has, column.fields)):
                seen.values[column.name] = values
            if lost.true_count:
                seen.unreadable[column.name] = lost.true_count
                first = as_object(batch.lines.text(batch.numbers[lost.index(True).as_py()]))
                seen.examples[column.name] = reprlib.repr(self.table.value(first, column.name))
        rows = len(batch.numbers)
        with OwnCode(self.clean, "the columns that it changes") as own:
            changed = own.expect(self.clean(dict(columns)), Mapping, "a dict of columns")
            for name, found in changed.items():
                if name not in columns:
                    own.refuse(f"returned {name}, which is no column that the table reads")
                columns[name] = _fitted(found, self.table[name], rows, own)
        for column in self.table.columns:
            if column.derive is record_hash:
                columns[RECORD] = pa.array(map(batch.lines.text, batch.numbers), pa.binary())
            if column.derive:
                with OwnCode(column.derive, f"the column {column.name}") as own:
                    columns[column.name] = _fitted(column.derive(columns), column, rows, own)
        return columns, seen

    def _reasons(self, table: pa.Table, non_objects: pa.Array) -> pa.Array:
        """The first reason to reject each row, or null."""
        required = self.table.required
        missing = [pc.is_null(table[name].combine_chunks()) for name in required]
        conditions = pa.StructArray.from_arrays(
            [non_objects, *missing], names=["non_object", *required]
        )
        reasons = ["not an object", *(f"no {name}" for name in required)]
        problems = Partitioning(self.table.partition_schema).problems(table)
        return pc.case_when(conditions, *reasons, problems)


def _fitted(found: Any, column: Column, rows: int, own: OwnCode) -> pa.Array:
    """What a flow's function returned for a column, in the column's type."""
    given = own.expect(found, (pa.Array, pa.ChunkedArray), f"an Arrow array of {column.name}").type
    if len(found) != rows:
        own.refuse(f"returned {len(found):,} values of {column.name} for {rows:,} rows")
    wanted = column.field.type
    # Arrow would make numbers of texts and times too.
    numbers = all(pa.types.is_integer(one) or pa.types.is_floating(one) for one in (given, wanted))
    if given not in (wanted, pa.null()) and not numbers:
        own.refuse(f"returned {column.name} as {given} where {wanted} is needed")
    return found.cast(wanted)


def _found(column: Column, batch: RecordBatch) -> pa.Array:
    """A column's values; each comes from the first of its fields that has one."""
    first, *others = column.fields
    if column.type != "text":
        return pc.coalesce(*(batch.typed(column, field) for field in column.fields))
    found = tidied(batch.text(first))
    for field in others:
        other = batch.text(field)
        # Tidying is slow, and most other fields repeat the first one: skip it if it cannot help.
        if pc.and_(pc.is_null(found), pc.is_valid(other)).true_count:
            found = pc.coalesce(found, tidied(other))
    return found
