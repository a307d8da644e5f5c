"""The data dictionary: what each column of a flow's tables is, by their declarations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from .flow import Flow
from .table import ARROW, Column, Type


@dataclass(frozen=True)
class ColumnEntry:
    """One column of a table."""

    name: str
    type: Type
    about: str  # what it is, with its unit; "" if its declaration does not say
    source: str
    """The fields that it is read from, of which the first one with a value counts; of gold, the
    column of silver, or `rows`. It is "" if there is none."""
    nullable: bool

    @property
    def field(self) -> pa.Field:
        """The column as an Arrow field, with `about` as its metadata `comment`."""
        comment = {"comment": self.about} if self.about else None
        return pa.field(self.name, ARROW[self.type], self.nullable, comment)


RECORDS = (
    ColumnEntry("position", "int64", "The record's place in the snapshot, from 0", "", False),
    ColumnEntry("record", "json", "The record as the API sent it", "", False),
)
"""Bronze's columns."""

REJECTED = (
    ColumnEntry("reason", "text", "Why silver has no row of the record", "", False),
    *RECORDS,
)
"""The columns of silver's rejects."""


def dictionary(flow: Flow) -> list[tuple[str, list[ColumnEntry]]]:
    """The tables of a flow by layer and name, such as "silver/stations", and their columns."""
    table = flow.table
    silver = [c for c in table.columns if c.name not in table.partitions]
    silver += [table[name] for name in table.partitions]
    gold = {
        dataset.path: _entries(aggregate.columns(table))
        for dataset, aggregate in zip(flow.gold, flow.aggregates, strict=True)
    }
    return [
        (flow.bronze.path, [*RECORDS]),
        (flow.silver.path, _entries(silver, table.required)),
        (f"rejected/{flow.name}", [*REJECTED]),
        *gold.items(),
    ]


def schema_of(entries: Iterable[ColumnEntry]) -> pa.Schema:
    """Columns as an Arrow schema."""
    return pa.schema([entry.field for entry in entries])


def _entries(columns: Iterable[Column], required: Iterable[str] = ()) -> list[ColumnEntry]:
    return [
        ColumnEntry(
            column.name,
            column.type,
            column.about,
            ", ".join(column.fields),
            not column.required and column.name not in required,
        )
        for column in columns
    ]
