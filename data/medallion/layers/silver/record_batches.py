"""Blocks of parsed records: by Arrow as columns, or by Python one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...lake.manifest import Fields
from ...lake.records import Lines, parse
from ...table import Column, field_of
from .drift import fields_of
from .tidying import as_text
from .types import has_value, typed

# Stands for a record that is not an object; it is recognized by identity.
_NOT_AN_OBJECT: dict[str, Any] = {}

Values = Mapping[str, pa.Array]
Numbers = npt.NDArray[np.int64]


class RecordBatch(ABC):
    """Some parsed records. Each array has one value per record."""

    lines: Lines
    numbers: Numbers
    """The line number of each record, from 0."""
    fields: Fields
    """The fields of all records, and the JSON types of each field."""
    non_objects: pa.Array
    """True for each record that is not an object."""

    @abstractmethod
    def text(self, field: str) -> pa.Array:
        """A field as text, not yet tidied; null if its value is not text."""

    def has(self, field: str) -> bool:
        """Whether any record has a field, even if it is null."""
        records = (as_object(self.lines.text(number)) for number in self.numbers if "." in field)
        found = (field_of(record, field, _NOT_AN_OBJECT) for record in records)
        return field in self.fields or any(value is not _NOT_AN_OBJECT for value in found)

    @abstractmethod
    def unreadable(self, column: Column, field: str) -> pa.Array:
        """True where a field has a value, which is lost if the column is null there."""

    def typed(self, column: Column, field: str) -> pa.Array:
        """A field in the type of a column that is not text; null if the value does not fit."""
        return typed(column, self._values(field, exact=column.type == "json"))

    @abstractmethod
    def _values(self, field: str, exact: bool = False) -> pa.Array | list[Any]: ...


class ArrowBatch(RecordBatch):
    """A batch that Arrow has read: each field that a column reads, to its values."""

    def __init__(self, lines: Lines, numbers: Numbers, values: Values, fields: Fields) -> None:
        self.lines, self.numbers = lines, numbers
        self.fields = fields
        self.non_objects = pa.repeat(pa.scalar(False), len(numbers))
        self._by_field = values

    def text(self, field: str) -> pa.Array:  # noqa: D102 - as RecordBatch says
        found = self._values(field)
        # If it is not a string, it is an object, and another column reads a field inside it.
        return found if pa.types.is_string(found.type) else pa.nulls(len(found), pa.string())

    def unreadable(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        found = self._values(field)
        if not pa.types.is_string(found.type):
            return pc.is_valid(found)
        if column.type == "text":
            return pa.repeat(pa.scalar(False), len(found))
        return pa.array(map(has_value, found.to_pylist()), pa.bool_())

    def _values(self, field: str, exact: bool = False) -> pa.Array:
        return self._by_field[field]


class PythonBatch(RecordBatch):
    """A batch of records that Python parses."""

    def __init__(self, lines: Lines, numbers: Numbers) -> None:
        self.lines, self.numbers = lines, numbers
        self._texts = [lines.text(number) for number in numbers]
        self._records = [as_object(text) for text in self._texts]
        self.fields = fields_of(self._records)
        self.non_objects = pa.array([record is _NOT_AN_OBJECT for record in self._records])

    def text(self, field: str) -> pa.Array:  # noqa: D102 - as RecordBatch says
        values = self._values(field)
        for number, value in enumerate(values):
            if isinstance(value, float):
                values[number] = field_of(as_object(self._texts[number], exact=True), field)
        return pa.array(map(as_text, values), pa.string())

    def unreadable(self, column: Column, field: str) -> pa.Array:  # noqa: D102
        values = self._values(field)
        if column.type == "text":
            return pa.array([isinstance(value, (bool, dict, list)) for value in values], pa.bool_())
        return pa.array(map(has_value, values), pa.bool_())

    def _values(self, field: str, exact: bool = False) -> list[Any]:
        records = (as_object(text, exact) for text in self._texts) if exact else self._records
        return [field_of(record, field) for record in records]


def as_object(text: bytes, exact: bool = False) -> dict[str, Any]:
    """Parse a record. With `exact`, numbers of more than 64 bits keep all their digits."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        exact = True  # orjson refuses valid JSON with half a surrogate pair or a deep nesting
    if exact:
        value, _ = parse(text.decode())
    return value if isinstance(value, dict) else _NOT_AN_OBJECT
