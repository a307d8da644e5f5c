"""Reading: parses the JSON of records into columns, by Arrow where it is correct, else by Python.

Arrow reads many records at once, without Python's lock. It stops at the first record that it
cannot read: a number in a text field, a repeated key, half a surrogate pair. pyarrow 25.0.1 also
ends the process at a line that is not an object and at a deep nesting. It loses digits and the
sign of some numbers. Python parses all such records one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from ...lake.manifest import Fields
from ...lake.records import Lines
from ...table import Column, Table, field_of
from .record_batches import ArrowBatch, Numbers, PythonBatch, RecordBatch, as_object
from .types import EXACT

FEW = 16
"""Arrow does not pay off for fewer records. As many first records show the types of the fields."""

LONG = 16 << 10  # from so many bytes on, a record may be nested too deeply for Arrow
LARGE = EXACT / 1_000_000  # from this value on, the microseconds of a float may not be exact
ITEM = re.compile(r"\.\d+\b")
REFUSED = re.compile(r"(?:Column\(/(?P<field>.*)\) changed from .*)?in row (?P<row>\d+)$")
"""The end of Arrow's message, if it names the record."""


def read_batches(lines: Lines, table: Table, refused: set[bytes]) -> Iterator[RecordBatch]:
    """Parse some lines into batches of the fields that a table declares, in no order.

    `refused` has texts of fields, such as `"id":4`, that Arrow refused in earlier lines. New ones
    are added, so that Arrow does not try later lines with the same text.

    Raises:
        ValueError: a line is not JSON.
    """
    reader = _Reader(lines, table, refused)
    yield from reader.columns()
    odd = np.flatnonzero(reader.needs_python)
    if len(odd):
        yield PythonBatch(lines, odd)


class _Reader:
    """Reads lines with Arrow, and marks the lines that Arrow cannot read."""

    def __init__(self, lines: Lines, table: Table, refused: set[bytes]) -> None:
        self.needs_python = ~lines.are_braced | (lines.ends - lines.starts >= LONG)
        """True for each line that Python must parse."""
        # Arrow can give neither JSON text nor an item of an array.
        self.needs_python |= any(
            c.type == "json" or ITEM.search(str(c.fields)) for c in table.columns
        )
        self._lines = lines
        self._table = table
        self._paths = [field for column in table.columns for field in column.fields]
        for path in self._paths:
            while "." in path:  # `field_of` looks such a name up before it follows the path
                self.needs_python[list(lines.with_text(_key(path)))] = True
                path = path.partition(".")[2]
        for text in refused:
            alike = list(islice(lines.with_text(text), len(lines) // FEW))
            if len(alike) < len(lines) // FEW:  # if many lines have it, Arrow may read it here
                self.needs_python[alike] = True
        self._refused = refused
        self._content = lines.separated()
        self._defer_to_python(np.flatnonzero(self.needs_python))
        first = [as_object(lines.text(n)) for n in np.flatnonzero(~self.needs_python)[:FEW]]
        self._schema = pa.schema(_struct(_as_texts(table, first)))  # Arrow infers all other fields

    def columns(self) -> Iterator[ArrowBatch]:
        """Read all records that Arrow can read."""
        left, step = [np.flatnonzero(~self.needs_python)], 1
        while left:
            numbers = left.pop()
            numbers = numbers[~self.needs_python[numbers]]
            if len(numbers) < FEW:
                self._defer_to_python(numbers)
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
                    self._defer_to_python(self._alike(numbers[row], refusal["field"]))
                else:  # Arrow stops after a few records again and again, so skip more each time
                    step *= 2
                self._defer_to_python(numbers[row : row + step])
                left += [numbers[row + step :], numbers[:row]]

    def _read(self, numbers: Numbers) -> tuple[pa.Table | None, re.Match[str] | None]:
        """Read some records; returns them, or where Arrow stopped if its message says so."""
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
        # Two objects on one line are not JSON, but Arrow reads both.
        return (rows, None) if len(rows) == len(numbers) else (None, None)

    def _defer_to_python(self, numbers: Numbers) -> None:
        """Leave some lines to Python."""
        self.needs_python[numbers] = True
        for number in numbers:
            self._content[self._lines.starts[number] : self._lines.ends[number]] = ord(" ")

    def _alike(self, number: int, field: str | None) -> Numbers:
        """The later lines where the field begins with the same text as in a refused line."""
        key = re.escape(_key((field or "").rpartition("/")[2]))
        value = re.search(key + rb"\s*:\s*\S", self._lines.text(number))
        if not field or not value:
            return np.empty(0, np.int64)
        if len(self._refused) < FEW:
            self._refused.add(value[0])
        return np.fromiter(self._lines.with_text(value[0], number + 1), np.int64)

    def _exact(self, numbers: Numbers, rows: pa.Table) -> Iterator[ArrowBatch]:
        """The rows that Arrow read without loss; the others are left to Python."""
        fields, inexact = self._fields(numbers, rows), np.zeros(len(rows), bool)
        # Use no other columns: pyarrow 25.0.1 infers lists with wrong offsets.
        values = {path: _found(rows, path) for path in self._paths}
        for column in self._table.columns:
            for field in column.fields if column.type != "text" else ():
                inexact |= _is_inexact(column, values[field])
        if inexact.any():
            self._defer_to_python(numbers[inexact])
            exact = pa.array(~inexact)
            numbers = numbers[~inexact]
            values = {path: found.filter(exact) for path, found in values.items()}
        if len(numbers):
            yield ArrowBatch(self._lines, numbers, values, fields)

    def _fields(self, numbers: Numbers, rows: pa.Table) -> Fields:
        found: dict[str, tuple[str, ...]] = {}
        for field, values in zip(rows.schema, rows.columns, strict=True):
            if values.null_count < len(values):
                found[field.name] = (_kind(field.type),)
            elif field.name not in self._schema.names or self._has(field.name, numbers):
                found[field.name] = ()
        return dict(sorted(found.items()))

    def _has(self, name: str, numbers: Numbers) -> bool:
        """Whether any of the lines has a field whose value is null in all of them."""
        some = self._lines.with_text(_key(name), numbers[0])
        return any(
            name in as_object(self._lines.text(n)) for n in takewhile(numbers[-1].__ge__, some)
        )


def _as_texts(table: Table, first: list[dict[str, Any]]) -> list[str]:
    """The fields that Arrow must read as text."""

    def are_numbers(field: str) -> bool:
        kinds = {type(field_of(record, field)) for record in first} - {type(None)}
        return bool(kinds) and kinds <= {int, float}

    paths = []
    for column in table.columns:
        for field in column.fields:
            is_time = column.type == "timestamp"
            if column.type == "text" or (is_time and not are_numbers(field)):
                paths.append(field)
    return paths


def _struct(paths: Iterable[str]) -> pa.DataType:
    """Text fields, nested ones in structs."""
    tree: dict[str, list[str]] = {}
    for path in paths:
        name, dot, inner = path.partition(".")
        tree.setdefault(name, []).extend([inner] if dot else [])
    fields = ((name, _struct(inner) if inner else pa.string()) for name, inner in tree.items())
    return pa.struct(list(fields))


def _found(rows: pa.Table, path: str) -> pa.Array:
    """The values of a field, as `field_of` finds them; nulls if the field is missing."""
    outer, *inner = path.split(".")
    if outer not in rows.column_names:
        return pa.nulls(len(rows))
    (found,) = rows[outer].chunks
    for name in inner:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(name) < 0:
            return pa.nulls(len(rows))
        found = pc.struct_field(found, name)
    return found


def _is_inexact(column: Column, values: pa.Array) -> npt.NDArray[np.bool_]:
    """True where a value may differ from the JSON, such as an integer among floats, or -0."""
    if not pa.types.is_floating(values.type):
        # Arrow parses a text that looks like a time, and loses the text.
        is_time = column.type == "timestamp" and pa.types.is_temporal(values.type)
        return np.full(len(values), is_time or pa.types.is_nested(values.type))
    floats: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    inexact: npt.NDArray[np.bool_] = np.abs(floats) >= LARGE
    return (floats == 0) & np.signbit(floats) if column.type == "float64" else inexact


def _kind(kind: pa.DataType) -> str:
    """The JSON type of an Arrow type. A time is a text that Arrow parsed."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_struct(kind):
        return "object"
    return "array" if pa.types.is_list(kind) else "string"


def _key(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()
