"""The data dictionary: what each column of a flow's tables is, by their declarations."""

from __future__ import annotations

from dataclasses import dataclass

from .flow import Flow
from .table import Column, Type


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


RECORDS = (
    Column("position", "int64", required=True, about="The record's place in the snapshot, from 0"),
    Column("record", "json", required=True, about="The record as the API sent it"),
)
"""Bronze's columns."""

REJECTED = (Column("reason", required=True, about="Why silver has no row of the record"), *RECORDS)
"""The columns of silver's rejects."""


def columns_of(flow: Flow) -> dict[str, tuple[Column, ...]]:
    """The columns of each table of a flow, by layer and name, such as "silver/stations"."""
    gold = zip(flow.gold, flow.aggregates, strict=True)
    return {
        flow.bronze.path: RECORDS,
        flow.silver.path: flow.table.located,
        f"rejected/{flow.name}": REJECTED,
        **{dataset.path: aggregate.columns(flow.table) for dataset, aggregate in gold},
    }


def dictionary(flow: Flow) -> list[tuple[str, list[ColumnEntry]]]:
    """The tables of a flow by layer and name, and the entries of their columns, in their order."""

    def entry(column: Column) -> ColumnEntry:
        source = "" if column in REJECTED else ", ".join(column.fields)
        return ColumnEntry(column.name, column.type, column.about, source, not column.required)

    return [(path, [*map(entry, columns)]) for path, columns in columns_of(flow).items()]
