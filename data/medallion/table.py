"""What a row of silver is, declared: its columns with their types, and what partitions it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

Type = Literal["text", "int64", "float64", "bool", "timestamp"]
ARROW: Mapping[Type, pa.DataType] = {
    "text": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
"""A column's type to that of Arrow and Parquet."""

PARTITION_TYPES: frozenset[Type] = frozenset({"text", "int64", "bool"})
"""What can stand in an object's key."""

POSITION = "position"
"""The column of a cleaned row that says where in bronze its record stood; no table may have it."""

Columns = Mapping[str, pa.Array]
Derive = Callable[[Columns], pa.Array]
"""A column's values, given the other columns; a function that pickles."""

Clean = Callable[[Columns], Columns]
"""A dataset's own rules: given the columns, gives those that change; a function that pickles."""


@dataclass(frozen=True)
class Column:
    """One column: what it holds, and which fields of a record it is read from.

    Text is tidied, and a number becomes text. A value that the type cannot hold is null, and
    counted in the manifest.
    """

    name: str
    type: Type = "text"
    sources: tuple[str, ...] = ()
    """The fields, the first that has a value; `place.city` is a field of a field. By default the
    field of the column's own name."""
    bounds: tuple[float, float] | None = None
    """Bounds of a number, both included; a number outside is null."""
    unit: Literal["s", "ms", "us"] = "s"
    """Of a timestamp that comes as a number; as a text it is ISO 8601, in UTC without a zone."""
    required: bool = False
    """Whether a record without it is rejected."""
    known: frozenset[str] | None = None
    """The values of a category: others are drift, and so are many rows that change theirs."""
    steady: bool = False
    """Whether a new value, or one that is gone, is drift."""
    derive: Derive | None = None
    """For a column that is made of others, such as `year("opened_at")`; it has no sources."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record that it is read from."""
        if self.derive:
            return ()
        return self.sources or (self.name,)

    @property
    def counted(self) -> bool:
        """Whether the manifest counts the rows of each of its values."""
        return self.steady or self.known is not None

    @property
    def field(self) -> pa.Field:
        """The column in Arrow."""
        return pa.field(self.name, ARROW[self.type])


@dataclass(frozen=True)
class Table:
    """Silver's table."""

    columns: tuple[Column, ...]
    partitions: tuple[str, ...]
    """The columns whose values stand in an object's key, the widest first; they are required."""
    key: str = "id"
    """The column whose value comes once; it is required."""
    shown: tuple[str, ...] = ()
    """Columns that a report of changes shows beside the key and the partitions."""
    coordinates: tuple[str, str] | None = None
    """The columns of longitude and latitude in degrees, of the type float64, for a map."""

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The columns without which a record is rejected."""
        asked = (c.name for c in self.columns if c.required and c.name not in self.partitions)
        return tuple(dict.fromkeys((self.key, *asked, *self.partitions)))

    @cached_property
    def schema(self) -> pa.Schema:
        """Of a silver object: its partition stands in its key."""
        return pa.schema([c.field for c in self.columns if c.name not in self.partitions])

    @cached_property
    def partition_schema(self) -> pa.Schema:
        """Of the partition columns."""
        return pa.schema([self[name].field for name in self.partitions])

    @cached_property
    def located_schema(self) -> pa.Schema:
        """Of silver's rows with their partition."""
        return pa.schema([*self.schema, *self.partition_schema])

    @cached_property
    def clean_schema(self) -> pa.Schema:
        """Of a cleaned batch: the same, and where in bronze each record stood."""
        return pa.schema([*self.located_schema, pa.field(POSITION, pa.int64())])

    def value(self, record: Mapping[str, Any], column: str) -> Any:
        """What a record has for a column, as received; None where it has nothing."""
        for field in self[column].fields:
            found = field_of(record, field)
            if found is not None:
                return found
        return None


def field_of(record: Mapping[str, Any], path: str) -> Any:
    """A field of a record, or of an object in it: `place.city`; None where there is none."""
    if path in record or "." not in path:
        return record.get(path)
    outer, _, inner = path.partition(".")
    found = record.get(outer)
    return field_of(found, inner) if isinstance(found, dict) else None


def unchanged(columns: Columns) -> Columns:
    """The rules of a dataset that has none of its own."""
    return {}


def year(of: str) -> Derive:
    """The year of a timestamp column, in UTC: an int64."""
    return partial(_calendar, of=of, function="year")


def month(of: str) -> Derive:
    """The month of a timestamp column, 1 to 12, in UTC: an int64."""
    return partial(_calendar, of=of, function="month")


def day(of: str) -> Derive:
    """The day of the month of a timestamp column, 1 to 31, in UTC: an int64."""
    return partial(_calendar, of=of, function="day")


def _calendar(columns: Columns, of: str, function: str) -> pa.Array:
    return pc.call_function(function, [columns[of]]).cast(pa.int64())
