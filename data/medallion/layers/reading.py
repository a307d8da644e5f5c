"""Reading: the JSON of records as columns, by Arrow where it reads what JSON says, else one by one.

Arrow reads many records at once, outside of Python's lock, and stops at the first that it cannot
read: a number in a field of texts, a repeated key, half a surrogate pair. pyarrow 25.0.1 also ends
the process at a line that is no object and at a deep nesting, and loses digits and the sign of
some numbers. All such records are read one by one, by Python's own rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from ..lake.manifest import Fields
from ..lake.records import Lines, parse
from ..table import Column, Table, field_of
from .drift import fields_of
from .tidying import as_text
from .types import EXACT, has_value, typed

FEW = 16
"""Records, of which it does not pay to ask Arrow; and as many as tell what a field holds."""

LONG = 16 << 10
"""Bytes of a record that may be nested too deeply for Arrow."""

LARGE = EXACT / 1_000_000
"""A float from which on its microseconds may not be exact."""

REFUSED = re.compile(r"(?:Column\(/(?P<field>.*)\) changed from .*)?in row (?P<row>\d+)$")
"""How Arrow's message ends, where it tells the record."""

# A record that is no object is read as this one, and told apart by identity.
_NOT_AN_OBJECT: dict[str, Any] = {}

Numbers = npt.NDArray[np.int64]


class Block(Protocol):
    """Some records, read; each array has a value for each of them."""

    @property
    def numbers(self) -> Numbers:
        """Which of the lines they are, from 0."""

    @property
    def fields(self) -> Fields:
        """Their fields, and the types that these have in JSON."""

    @property
    def strangers(self) -> pa.Array:
        """Whether each is no object."""

    def text(self, field: str) -> pa.Array:
        """A field as text, not tidied; null where it has none."""

    def typed(self, column: Column, field: str) -> pa.Array:
        """A field in the type of a column, which is no text; null where it has no such value."""

    def is_lost(self, column: Column, field: str) -> pa.Array:
        """Whether a field has a value, of which a column without one cannot make any."""


def read(lines: Lines, table: Table) -> Iterator[Block]:
    """The records of some lines, in blocks of no order.

    Raises:
        ValueError: one of them is no JSON.
    """
    reader = _Reader(lines, table)
    yield from reader.columns()
    odd = np.flatnonzero(reader.odd)
    if len(odd):
        yield OneByOne(lines, odd)


@dataclass(frozen=True)
class Columns:
    """A block that Arrow has read."""

    numbers: Numbers
    values: Mapping[str, pa.Array]
    """Of the fields that columns are read from."""
    fields: Fields

    @property
    def strangers(self) -> pa.Array:  # noqa: D102 - as Block says
        return pa.repeat(pa.scalar(False), len(self.numbers))

    def text(self, field: str) -> pa.Array:  # noqa: D102
        found = self.values[field]
        # What it is else is an object, of which another column takes a field.
        return found if pa.types.is_string(found.type) else pa.nulls(len(found), pa.string())

    def typed(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        return typed(column, self.values[field])

    def is_lost(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        found = self.values[field]
        if not pa.types.is_string(found.type):
            return pc.is_valid(found)
        if column.type == "text":
            return pa.repeat(pa.scalar(False), len(found))
        return pa.array(map(has_value, found.to_pylist()), pa.bool_())


class OneByOne:
    """A block of records that are read by Python's own rules."""

    def __init__(self, lines: Lines, numbers: Numbers) -> None:
        self.numbers = numbers
        self._texts = [lines.text(number) for number in numbers]
        self._records = [_as_object(text) for text in self._texts]

    @property
    def fields(self) -> Fields:  # noqa: D102 - as Block says
        return fields_of(self._records)

    @property
    def strangers(self) -> pa.Array:  # noqa: D102
        return pa.array([record is _NOT_AN_OBJECT for record in self._records], pa.bool_())

    def text(self, field: str) -> pa.Array:  # noqa: D102
        values = self._values(field)
        for number, value in enumerate(values):
            if isinstance(value, float):
                values[number] = field_of(_as_object(self._texts[number], exact=True), field)
        return pa.array(map(as_text, values), pa.string())

    def typed(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        return typed(column, self._values(field))

    def is_lost(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        is_lost = _is_no_text if column.type == "text" else has_value
        return pa.array(map(is_lost, self._values(field)), pa.bool_())

    def _values(self, field: str) -> list[Any]:
        return [field_of(record, field) for record in self._records]


class _Reader:
    """Reads lines by Arrow, and marks those that it cannot read."""

    def __init__(self, lines: Lines, table: Table) -> None:
        self.odd = ~lines.are_braced | (lines.ends - lines.starts >= LONG)
        """Of each line, whether it is to be read by itself."""
        self._lines = lines
        self._table = table
        self._paths = [field for column in table.columns for field in column.fields]
        for name in _dotted(self._paths):
            self.odd[list(lines.with_text(_key(name)))] = True
        self._content = lines.separated()
        self._leave(np.flatnonzero(self.odd))
        self._schema = _schema(_as_texts(table, self._first_records()))

    def columns(self) -> Iterator[Columns]:
        """What Arrow can read, around the records that it cannot."""
        left, step = [np.flatnonzero(~self.odd)], 1
        while left:
            numbers = left.pop()
            numbers = numbers[~self.odd[numbers]]
            if len(numbers) < FEW:
                self._leave(numbers)
                continue
            rows, refusal = self._read(numbers)
            if rows is not None:
                yield from self._exact(numbers, rows)
            elif refusal is None:
                half = len(numbers) // 2
                left += [numbers[half:], numbers[:half]]
            else:
                row = int(refusal["row"])
                if row >= FEW:
                    step = 1
                    self._leave(self._alike(numbers[row], refusal["field"]))
                else:  # where few can be read at once, more and more are read by themselves
                    step *= 2
                self._leave(numbers[row : row + step])
                left += [numbers[row + step :], numbers[:row]]

    def _first_records(self) -> list[dict[str, Any]]:
        return [_as_object(self._lines.text(n)) for n in np.flatnonzero(~self.odd)[:FEW]]

    def _read(self, numbers: Numbers) -> tuple[pa.Table | None, re.Match[str] | None]:
        """Some records; or where Arrow stopped, if it says so."""
        start, end = self._lines.starts[numbers[0]], self._lines.ends[numbers[-1]]
        content = pa.py_buffer(self._content[start:end])
        try:
            rows = arrow_json.read_json(
                pa.BufferReader(content),
                arrow_json.ReadOptions(use_threads=False, block_size=len(content) + 1),
                arrow_json.ParseOptions(explicit_schema=self._schema),
            )
        except pa.ArrowInvalid as error:
            return None, REFUSED.search(str(error))
        # Two objects on one line are no JSON, and Arrow reads both.
        return (rows, None) if len(rows) == len(numbers) else (None, None)

    def _leave(self, numbers: Numbers) -> None:
        """Leave some lines to be read by themselves."""
        self.odd[numbers] = True
        for number in numbers:
            self._content[self._lines.starts[number] : self._lines.ends[number]] = ord(" ")

    def _alike(self, number: int, field: str | None) -> Numbers:
        """The later lines in which a field begins as in one that Arrow refused for it."""
        key = re.escape(_key((field or "").rpartition("/")[2]))
        value = re.search(key + rb"\s*:\s*\S", self._lines.text(number))
        later = self._lines.with_text(value[0], number + 1) if field and value else ()
        return np.fromiter(later, np.int64)

    def _exact(self, numbers: Numbers, rows: pa.Table) -> Iterator[Columns]:
        """The rows in which Arrow lost nothing."""
        fields, inexact = self._fields(numbers, rows), np.zeros(len(rows), bool)
        # Only these are touched: pyarrow 25.0.1 infers lists whose offsets are wrong.
        values = {path: _found(rows, path) for path in self._paths}
        for column in self._table.columns:
            for field in column.fields if column.type != "text" else ():
                inexact |= _is_inexact(column, values[field])
        if inexact.any():
            self._leave(numbers[inexact])
            exact = pa.array(~inexact)
            numbers = numbers[~inexact]
            values = {path: found.filter(exact) for path, found in values.items()}
        if len(numbers):
            yield Columns(numbers, values, fields)

    def _fields(self, numbers: Numbers, rows: pa.Table) -> Fields:
        found: dict[str, tuple[str, ...]] = {}
        for field, values in zip(rows.schema, rows.columns, strict=True):
            if values.null_count < len(values):
                found[field.name] = (_kind(field.type),)
            elif field.name not in self._schema.names or self._has(field.name, numbers):
                found[field.name] = ()
        return dict(sorted(found.items()))

    def _has(self, name: str, numbers: Numbers) -> bool:
        """Whether some of the lines have a field, which is null in all."""
        some = self._lines.with_text(_key(name), numbers[0])
        return any(
            name in _as_object(self._lines.text(n)) for n in takewhile(numbers[-1].__ge__, some)
        )


def _as_texts(table: Table, first: list[dict[str, Any]]) -> list[str]:
    """The fields that Arrow must not take for anything but text."""
    paths = []
    for column in table.columns:
        for field in column.fields:
            kinds = {type(field_of(record, field)) for record in first} - {type(None)}
            is_number = bool(kinds) and kinds <= {int, float}
            if column.type == "text" or (column.type == "timestamp" and not is_number):
                paths.append(field)
    return paths


def _schema(paths: Sequence[str]) -> pa.Schema:
    """Some fields as texts, those of an object in its struct; what else there is, Arrow infers."""
    tree: dict[str, Any] = {}
    for path in paths:
        *outer, name = path.split(".")
        inside = tree
        for each in outer:
            inside = inside.setdefault(each, {})
        inside.setdefault(name, {})
    return pa.schema(_struct(tree))


def _struct(tree: dict[str, Any]) -> pa.DataType:
    fields = ((name, _struct(inside) if inside else pa.string()) for name, inside in tree.items())
    return pa.struct(list(fields))


def _found(rows: pa.Table, path: str) -> pa.Array:
    """A field, as `field_of` finds it; nulls where there is none."""
    outer, *inner = path.split(".")
    if outer not in rows.column_names:
        return pa.nulls(len(rows))
    (found,) = rows[outer].chunks
    for name in inner:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(name) < 0:
            return pa.nulls(len(rows))
        found = pc.struct_field(found, name)
    return found


def _dotted(paths: Iterable[str]) -> Iterator[str]:
    """The names with dots by which `field_of` would find a field before it follows its path."""
    for path in paths:
        while "." in path:
            yield path
            path = path.partition(".")[2]


def _is_inexact(column: Column, values: pa.Array) -> npt.NDArray[np.bool_]:
    """Where a value may not be what JSON says, such as an integer among floats, or -0."""
    if not pa.types.is_floating(values.type):
        # Of a text that looks like a time, the text is lost.
        is_time = column.type == "timestamp" and pa.types.is_temporal(values.type)
        return np.full(len(values), is_time or pa.types.is_nested(values.type))
    floats: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    inexact: npt.NDArray[np.bool_] = np.abs(floats) >= LARGE
    return (floats == 0) & np.signbit(floats) if column.type == "float64" else inexact


def _kind(kind: pa.DataType) -> str:
    """An Arrow type in JSON; a text may look like a time."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_struct(kind):
        return "object"
    return "array" if pa.types.is_list(kind) else "string"


def _key(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def _as_object(text: bytes, exact: bool = False) -> dict[str, Any]:
    """A record; exactly, its numbers of more than 64 bits keep the digits that orjson loses."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        exact = True  # JSON all the same: half a surrogate pair, or a deep nesting
    if exact:
        value, _ = parse(text.decode())
    return value if isinstance(value, dict) else _NOT_AN_OBJECT


def _is_no_text(value: Any) -> bool:
    return isinstance(value, (bool, dict, list))
