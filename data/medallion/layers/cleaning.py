"""Cleaning: bronze records become silver rows, or rejects with a reason. Pure functions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc

from ..lake.partitions import Partitioning
from ..lake.records import Lines
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
        columns.update(self.clean(columns))
        for column in self.table.columns:
            if column.derive:
                columns[column.name] = column.derive(columns)
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
