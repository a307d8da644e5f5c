"""Cleaning: bronze records become silver rows, or rejects with a reason. Pure functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..lake.partitions import Partitioning
from ..lake.records import Lines
from ..own_code import OwnCode
from ..table import POSITION, Clean, Column, Table
from .blocks import Block
from .drift import Seen, seen_in_all
from .reading import read
from .tidying import tidied


@dataclass(frozen=True)
class Rejected:
    """A reject: the record as received, the reason, and its position in bronze."""

    record: str
    reason: str
    position: int
    """From 0."""

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
            refused: the state that `reading.read` keeps between the lines of a range.

        Returns:
            The usable rows as a table of `clean_schema`, in no order; the rejects by position;
            and the fields and unreadable values of the records.
        """
        tables, rejected, seen = [self.table.clean_schema.empty_table()], [], []
        for block in read(lines, self.table, set() if refused is None else refused):
            columns, unreadable = self._columns(block)
            columns[POSITION] = pa.array(block.numbers + start, pa.int64())
            schema = self.table.clean_schema
            rows = pa.table({name: columns[name] for name in schema.names}, schema)
            reasons = self._reasons(rows, block.strangers)
            unusable = pc.is_valid(reasons)
            for n in pc.indices_nonzero(unusable).to_pylist():
                number = int(block.numbers[n])
                text = lines.text(number).decode()
                rejected.append(Rejected(text, reasons[n].as_py(), start + number))
            tables.append(rows.filter(pc.invert(unusable)) if unusable.true_count else rows)
            seen.append(Seen(block.fields, unreadable))
        rejected.sort(key=attrgetter("position"))
        return pa.concat_tables(tables), rejected, seen_in_all(seen)

    def _columns(self, block: Block) -> tuple[dict[str, pa.Array], Counter[str]]:
        """The declared columns; and for each column, how many values its type cannot hold."""
        columns: dict[str, pa.Array] = {}
        unreadable = Counter[str]()
        for column in self.table.columns:
            if column.derive:
                continue
            found = columns[column.name] = _found(column, block)
            lost = [pc.and_(pc.is_null(found), block.is_lost(column, f)) for f in column.fields]
            unreadable[column.name] += reduce(pc.or_, lost).true_count
        rows = len(block.numbers)
        with OwnCode(self.clean, "the columns that it changes") as own:
            changed = own.expect(self.clean(dict(columns)), Mapping, "a dict of columns")
            for name, found in changed.items():
                if name not in columns:
                    own.refuse(f"returned {name}, which is no column that the table reads")
                columns[name] = _fitted(found, self.table[name], rows, own)
        for column in self.table.columns:
            if column.derive:
                with OwnCode(column.derive, f"the column {column.name}") as own:
                    columns[column.name] = _fitted(column.derive(columns), column, rows, own)
        return columns, +unreadable

    def _reasons(self, table: pa.Table, strangers: pa.Array) -> pa.Array:
        """The first reason to reject each row, or null."""
        required = self.table.required
        missing = [pc.is_null(table[name].combine_chunks()) for name in required]
        conditions = pa.StructArray.from_arrays(
            [strangers, *missing], names=["stranger", *required]
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


def _found(column: Column, block: Block) -> pa.Array:
    """A column's values; each comes from the first of its fields that has one."""
    first, *others = column.fields
    if column.type != "text":
        return pc.coalesce(*(block.typed(column, field) for field in column.fields))
    found = tidied(block.text(first))
    for field in others:
        other = block.text(field)
        # Tidying is slow, and most other fields repeat the first one: skip it if it cannot help.
        if pc.and_(pc.is_null(found), pc.is_valid(other)).true_count:
            found = pc.coalesce(found, tidied(other))
    return found
