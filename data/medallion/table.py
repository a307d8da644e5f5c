"""The declaration of silver's table: columns, types and partitions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from .problems import DECLARE, Problem, repeated

Type = Literal["text", "int64", "float64", "bool", "timestamp", "json"]
ARROW: Mapping[Type, pa.DataType] = {
    "text": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
"""A column's type to the type in Arrow and Parquet."""

PARTITION_TYPES: frozenset[Type] = frozenset({"text", "int64", "bool"})
"""The types whose values can be part of an object's key."""

KEY_TYPES = frozenset({"text", "int64"})
"""The types of keys: their values can be unique, and are the same in JSON."""

NUMBERS = frozenset({"int64", "float64"})
ORDERED = NUMBERS | {"text", "timestamp"}

POSITION = "position"
"""The column of a cleaned row with its record's position in bronze; no table may declare it."""

RECORD = "\0record"
"""What `record_hash` reads: the JSON text of each record. No column can have this name."""

BETWEEN = "\0"
"""Stands between the values of several columns in one text; tidied text never contains it."""

Columns = Mapping[str, pa.Array]
Derive = Callable[[Columns], pa.Array]
"""A function that makes a column from the other columns. It must be picklable."""

Clean = Callable[[Columns], Columns]
"""A dataset's own rules: a function from columns to the changed columns. It must be picklable."""


@dataclass(frozen=True)
class Column:
    """One column: its type, and the fields of a record that it is read from.

    Text is tidied; a number in a text column becomes text. A `json` column keeps any value, such as
    an array or an object, as its JSON text. A value that the type cannot hold becomes null, and is
    counted in the manifest.
    """

    name: str
    type: Type = "text"
    sources: tuple[str, ...] = ()
    """The fields to read, in order; the first one with a value counts. `place.city` is a field in a
    field, `place.at.0` the first item of an array. By default, the field with the column's name."""
    bounds: tuple[float, float] | None = None
    """The lowest and highest number; a number outside becomes null."""
    unit: Literal["s", "ms", "us"] = "s"
    """The unit of a timestamp that is a number. A text must be ISO 8601, in UTC without a zone."""
    decimal: Literal["", ".", ","] = ""
    """The decimal mark in texts with separators: `.` reads `1,200.00`, and `,` reads `1.200,00`."""
    false_true: tuple[str, str] = ("false", "true")
    """How false and true are written, besides as themselves: `("0", "1")` reads numbers too."""
    required: bool = False
    """Whether a record without a value is rejected."""
    accepted_values: frozenset[str] | None = None
    """The values of a category. Unknown values are drift; so are many rows whose value changes."""
    alert_on_change: bool = False
    """Whether it is drift if a value appears or disappears."""
    about: str = ""
    """What it is, for people, with its unit: `Height above the sea, in metres`."""
    derive: Derive | None = None
    """Makes the column from other columns, such as `year("opened_at")`; it then has no sources."""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a record that the column is read from."""
        return () if self.derive else self.sources or (self.name,)

    @property
    def counted(self) -> bool:
        """Whether the manifest counts the rows of each value."""
        return self.alert_on_change or self.accepted_values is not None

    @property
    def field(self) -> pa.Field:
        """The column as an Arrow field."""
        return pa.field(self.name, ARROW[self.type])

    @cached_property
    def declared(self) -> pa.Field:
        """The field as a reader gets it: with `about` as its comment, and null or not."""
        comment = {"comment": self.about} if self.about else None
        return pa.field(self.name, ARROW[self.type], not self.required, comment)

    def problems(self, types: Mapping[str, Type]) -> Iterator[Problem]:
        """What is wrong with the declaration; `types` has the type of each column."""
        column = f"its column {self.name}"
        if self.type not in ARROW:
            known = f"choose one of {', '.join(ARROW)}"
            yield f"{column} has the unknown type {self.type!r}", known
        elif (self.bounds or self.decimal) and self.type not in NUMBERS:
            what = "bounds" if self.bounds else "a decimal mark"
            yield f"{column} has {what} and is no number", "leave them out"
        elif self.accepted_values is not None and self.type != "text":
            yield f"{column} has accepted values and is no text", "leave them out"
        # The functions year, month and day have this keyword.
        of = getattr(self.derive, "keywords", {}).get("of")
        if of is not None and types.get(of) != "timestamp":
            remedy = "declare that as a column of the type timestamp"
            yield f"{column} is made of {of}, which is no timestamp", remedy


@dataclass(frozen=True)
class Table:
    """Silver's table."""

    columns: tuple[Column, ...]
    partitions: tuple[str, ...]
    """The columns whose values are in an object's key, the outermost first; they are required."""
    key: str | tuple[str, ...] = "id"
    """The columns that are unique together; they are required. If there are none: `record_hash`."""
    newest: str = ""
    """Of records with one key, the one with the greatest value here is kept; else the last one."""
    shown: tuple[str, ...] = ()
    """The columns that a change report shows, besides the key and the partitions."""
    coordinates: tuple[str, str] | None = None
    """The float64 columns of longitude and latitude in degrees, for a map."""

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The required columns: a record without one of them is rejected."""
        asked = (c.name for c in self.columns if c.required and c.name not in self.partitions)
        return tuple(dict.fromkeys((*self.keys, *asked, *self.partitions)))

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The columns of the key."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @cached_property
    def located(self) -> tuple[Column, ...]:
        """The columns of silver's rows, the partitions last; all that are required say so."""
        inside = [c for c in self.columns if c.name not in self.partitions]
        both = (*inside, *(self[name] for name in self.partitions))
        return tuple(replace(c, required=c.name in self.required) for c in both)

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of a silver object, without the partition columns, which are in its key."""
        return pa.schema([c.field for c in self.columns if c.name not in self.partitions])

    @cached_property
    def partition_schema(self) -> pa.Schema:
        """The schema of the partition columns."""
        return pa.schema([self[name].field for name in self.partitions])

    @cached_property
    def located_schema(self) -> pa.Schema:
        """The schema of silver's rows with the partition columns."""
        return pa.schema([*self.schema, *self.partition_schema])

    @cached_property
    def clean_schema(self) -> pa.Schema:
        """The schema of cleaned rows: `located_schema`, and the record's position in bronze."""
        return pa.schema([*self.located_schema, pa.field(POSITION, pa.int64())])

    def value(self, record: Any, column: str) -> Any:
        """A record's value for a column, as received; None if it has none, or is no object."""
        record = record if isinstance(record, dict) else {}
        values = (field_of(record, field) for field in self[column].fields)
        return next((value for value in values if value is not None), None)

    def problems(self) -> Iterator[Problem]:
        """What is wrong with the declaration."""
        types = {column.name: column.type for column in self.columns}
        for name, times in repeated(column.name for column in self.columns).items():
            yield f"it has the column {name} {times} times", "name one of them otherwise"
        for name in types:
            if not name.isidentifier() or name == POSITION:
                yield f"a column cannot be called {name!r}", "choose another name"
        for column in self.columns:
            yield from column.problems(types)
        for what, some, allowed in (
            ("coordinate", self.coordinates or (), {"float64"}),
            ("key", self.keys, KEY_TYPES),
            ("newest", (self.newest,), ORDERED),
            ("partition", self.partitions, PARTITION_TYPES),
            ("shown", self.shown, ARROW.keys()),
        ):
            for name in filter(None, some):
                if name not in types:
                    yield f"no row has the column {name}, which its table names", DECLARE
                elif types[name] not in allowed:
                    remedy = f"use {'one of ' * (len(allowed) > 1)}{', '.join(sorted(allowed))}"
                    yield f"its {what} {name} is of the type {types[name]}", remedy
        if not self.partitions:
            yield "it has no partition column", "name at least one"
        for name in repeated(self.partitions):
            yield f"it is partitioned by {name} twice", "name it once"
        if set(self.keys) <= {*self.partitions}:
            yield f"its partition {' and '.join(self.keys)} is its key too", "use another column"


def field_of(record: Any, path: str, missing: Any = None) -> Any:
    """A field of a record, of an object in it (`place.city`), or of an array in it (`at.0`)."""
    if isinstance(record, list):
        record = {str(number): item for number, item in enumerate(record)}
    if not isinstance(record, dict):
        return missing
    outer, _, inner = path.partition(".")
    if path in record or not inner:
        return record.get(path, missing)
    return field_of(record.get(outer), inner, missing)


def texts_of(rows: pa.Table, names: Sequence[str]) -> pa.ChunkedArray:
    """The values of some columns as one text for each row; null if one of them is null."""
    columns = [rows[name].cast(pa.string()) for name in names]
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, BETWEEN)


def declared(rows: pa.Table, columns: Iterable[Column]) -> pa.Table:
    """Rows with the declared fields of their columns.

    A column that has a null may be null even so: it was not required when the rows were made.
    """
    known = {column.name: column.declared for column in columns}
    fields = [
        known[name].with_nullable(known[name].nullable or bool(values.null_count))
        for name, values in zip(rows.column_names, rows.columns, strict=True)
    ]
    return pa.table(rows.columns, pa.schema(fields, rows.schema.metadata))


def unchanged(columns: Columns) -> Columns:
    """The default of `Clean`: changes nothing."""
    return {}


def year(of: str) -> Derive:
    """The year of a timestamp column, in UTC, as int64."""
    return partial(_calendar, of=of, function="year")


def month(of: str) -> Derive:
    """The month of a timestamp column, 1 to 12, in UTC, as int64."""
    return partial(_calendar, of=of, function="month")


def day(of: str) -> Derive:
    """The day of the month of a timestamp column, 1 to 31, in UTC, as int64."""
    return partial(_calendar, of=of, function="day")


def record_hash(columns: Columns) -> pa.Array:
    """The sha256 of each record's text as received, in hex: `Column("id", derive=record_hash)`.

    Equal records are then duplicates, so no crawl adds up to an API's total that counts them all.
    """
    digests = [hashlib.sha256(text).hexdigest() for text in columns[RECORD].to_pylist()]
    return pa.array(digests, pa.string())


def _calendar(columns: Columns, of: str, function: str) -> pa.Array:
    return pc.call_function(function, [columns[of]]).cast(pa.int64())
