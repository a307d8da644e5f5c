"""Cleaning: bronze records to silver rows, and the reasons why some are none. Pure functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ..lake.partitions import Partitioning
from ..lake.records import parse
from ..table import POSITION, Clean, Column, Table, field_of
from .drift import Seen, fields_of
from .tidying import as_text, tidied
from .types import typed

# A record that is no object is read as this one, and told apart by identity.
_NOT_AN_OBJECT: dict[str, Any] = {}


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be used: its text as received, why, and its position in bronze."""

    record: str
    reason: str
    position: int
    """From 0."""

    def to_json(self) -> str:
        """One line: the record stands in it as received."""
        reason = json.dumps(self.reason)
        return f'{{"reason":{reason},"position":{self.position},"record":{self.record}}}'


@dataclass(frozen=True)
class Cleaner:
    """Cleans the records of a table, by its declaration and its own rules; it pickles."""

    table: Table
    clean: Clean

    def __call__(
        self, texts: Sequence[bytes], start: int = 0
    ) -> tuple[pa.Table, list[Rejected], Seen]:
        """Clean a batch of records.

        Args:
            texts: the records' JSON, as received, in UTF-8.
            start: the position of the first in bronze, from 0.

        Returns:
            A table of `clean_schema` with the usable rows, the others, and what the records look
            like.
        """
        records = [_as_object(text) for text in texts]
        columns, unreadable = self._columns(texts, records)
        columns = {**columns, **self.clean(columns)}
        for column in self.table.columns:
            if column.derive:
                columns[column.name] = column.derive(columns)
        columns[POSITION] = pa.array(range(start, start + len(texts)), pa.int64())
        schema = self.table.clean_schema
        table = pa.table({name: columns[name] for name in schema.names}, schema)

        strangers = pa.array([record is _NOT_AN_OBJECT for record in records], pa.bool_())
        reasons = self._reasons(table, strangers)
        unusable = pc.is_valid(reasons)
        rejected = [
            Rejected(texts[n].decode(), reasons[n].as_py(), start + n)
            for n in pc.indices_nonzero(unusable).to_pylist()
        ]
        return table.filter(pc.invert(unusable)), rejected, Seen(fields_of(records), unreadable)

    @cached_property
    def _texts(self) -> tuple[Column, ...]:
        return tuple(c for c in self.table.columns if c.type == "text" and not c.derive)

    @cached_property
    def _received(self) -> pa.StructType:
        """The fields of a record that become text."""
        return pa.struct([(name, pa.string()) for name in _fields(self._texts)])

    @cached_property
    def _nested(self) -> bool:
        """Whether some of them are fields of a field."""
        return any("." in name for name in _fields(self._texts))

    def _columns(
        self, texts: Sequence[bytes], records: list[dict[str, Any]]
    ) -> tuple[dict[str, pa.Array], Counter[str]]:
        """The columns as declared; and for each, how many values it cannot hold."""
        received, all_texts = self._received_texts(texts, records)
        columns = _tidied(self._texts, received)
        unreadable = Counter[str]()
        if not all_texts:
            unreadable += _unreadable(records, self._texts, columns, _is_no_text)
        for column in self.table.columns:
            if column.type == "text" or column.derive:
                continue
            values = [[field_of(r, field) for r in records] for field in column.fields]
            read = [typed(column, found) for found in values]
            columns[column.name] = pc.coalesce(*read)
            if any(r.null_count > v.count(None) for r, v in zip(read, values, strict=True)):
                unreadable += _unreadable(records, [column], columns, _has_value)
        return columns, unreadable

    def _received_texts(
        self, texts: Sequence[bytes], records: list[dict[str, Any]]
    ) -> tuple[dict[str, pa.Array], bool]:
        """The text fields of records, null where missing; and whether all were texts."""
        names = [field.name for field in self._received]
        found = records
        if self._nested:
            found = [{name: field_of(record, name) for name in names} for record in records]
        all_texts = True
        try:
            rows = pa.array(found, self._received)
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
            all_texts = False
            exact = [_text_fields(*pair, names) for pair in zip(texts, records, strict=True)]
            rows = pa.array(exact, self._received)
        return dict(zip(names, rows.flatten(), strict=True)), all_texts

    def _reasons(self, table: pa.Table, strangers: pa.Array) -> pa.Array:
        """For each row the first reason to reject it, or null."""
        required = self.table.required
        missing = [pc.is_null(table[name].combine_chunks()) for name in required]
        conditions = pa.StructArray.from_arrays(
            [strangers, *missing], names=["stranger", *required]
        )
        reasons = ["not an object", *(f"no {name}" for name in required)]
        return pc.case_when(conditions, *reasons, self._problems(table))

    def _problems(self, table: pa.Table) -> pa.Array:
        """Why a row's partition cannot be one, or null."""
        partitioning = Partitioning(self.table.partition_schema)
        # There are few, so each is looked at once.
        texts = partitioning.texts(table).combine_chunks().dictionary_encode()
        partitions = map(partitioning.of_text, texts.dictionary.to_pylist())
        problems = pa.array(map(partitioning.problem, partitions), pa.string())
        return problems.take(texts.indices)


def _as_object(text: bytes, exact: bool = False) -> dict[str, Any]:
    """A record; exactly, its numbers of more than 64 bits keep the digits that orjson loses."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        exact = True  # JSON all the same: half a surrogate pair, or a deep nesting
    if exact:
        value, _ = parse(text.decode())
    return value if isinstance(value, dict) else _NOT_AN_OBJECT


def _fields(columns: Sequence[Column]) -> list[str]:
    return list(dict.fromkeys(field for column in columns for field in column.fields))


def _tidied(columns: Sequence[Column], received: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """The tidied text columns, each from the first of its fields that has a value."""
    if not columns:
        return {}
    found = tidied({column.name: received[column.fields[0]] for column in columns})
    for column in columns:
        for field in column.fields[1:]:
            # The others are looked at where they can help: they hold the same text as the first.
            empty = pc.is_null(found[column.name])
            if pc.any(pc.and_(empty, pc.is_valid(received[field]))).as_py():
                (other,) = tidied({field: received[field]}).values()
                found[column.name] = pc.coalesce(found[column.name], other)
    return found


def _unreadable(
    records: list[dict[str, Any]],
    columns: Sequence[Column],
    found: Mapping[str, pa.Array],
    is_unreadable: Callable[[Any], bool],
) -> Counter[str]:
    """For each column, how many records without a value in it have one that it cannot hold."""
    counts = Counter[str]()
    for column in columns:
        for n in pc.indices_nonzero(pc.is_null(found[column.name])).to_pylist():
            values = (field_of(records[n], field) for field in column.fields)
            counts[column.name] += any(map(is_unreadable, values))
    return +counts


def _is_no_text(value: Any) -> bool:
    return isinstance(value, (bool, dict, list))


def _has_value(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _text_fields(text: bytes, record: dict[str, Any], names: list[str]) -> dict[str, str | None]:
    """The text fields of one record, whatever their types."""
    values = {name: field_of(record, name) for name in names}
    if any(isinstance(value, float) for value in values.values()):
        exact = _as_object(text, exact=True)
        values = {name: field_of(exact, name) for name in names}
    return {name: as_text(value) for name, value in values.items()}
