"""Partitions: `country=<country>/state=<state>/` in an object's key, percent-encoded once.

In code, a partition is a tuple of values. In a key, it is a path. In a column of rows, it is a
text. The encoding is that of pyarrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from ..table import BETWEEN, texts_of
from .errors import ObjectUnreadable

Partition = tuple[str | int | bool, ...]
"""The values of the partition columns, the outermost first."""

LONGEST_SEGMENT = 255  # bytes; a store of files refuses a longer part of a key between slashes
PYARROW_NULL = "__HIVE_DEFAULT_PARTITION__"  # null for pyarrow and Hive, so no value may equal it


@dataclass(frozen=True)
class Partitioning:
    """Partitions rows by the columns of a schema; their types are text, int64 or bool."""

    schema: pa.Schema

    def path(self, partition: Partition) -> str:
        """The partition's part of a key; percent-encoded (pyarrow's `segment_encoding="uri"`)."""
        return "/".join(map(_segment, self.schema.names, map(_text, partition)))

    def of_key(self, key: str) -> Partition:
        """The partition of an object's key, as of `path`; ObjectUnreadable if it has none."""
        found = dict(segment.partition("=")[::2] for segment in key.split("/"))
        encoded = [found.get(name, PYARROW_NULL) for name in self.schema.names]
        with suppress(ValueError):
            texts = [unquote(text, errors="strict") for text in encoded]
            if PYARROW_NULL not in texts:
                return tuple(map(_value, self.schema.types, texts))
        raise ObjectUnreadable(key, f"its key has no {' and '.join(self.schema.names)}")

    def values(self, key: str) -> dict[str, str | int | bool]:
        """Column to value, for the partition of an object's key; errors as of `of_key`."""
        return dict(zip(self.schema.names, self.of_key(key), strict=True))

    def problem(self, partition: Partition) -> str | None:
        """Why these values cannot be a partition, or None."""
        for name, value in zip(self.schema.names, map(_text, partition), strict=True):
            if len(_segment(name, value)) > LONGEST_SEGMENT:
                return f"{name} too long for a key"
            if value == PYARROW_NULL:
                return f"{name} is the mark for null"
        return None

    def problems(self, rows: pa.Table) -> pa.Array:
        """The problem of each row's partition; null if there is none, or if a value is null."""
        suspects = []
        for name in self.schema.names:
            values = rows[name].cast(pa.string())
            # Percent-encoding makes at most three bytes of one.
            safe = (LONGEST_SEGMENT - len(_segment(name, ""))) // 3
            is_long = pc.greater(pc.binary_length(values), safe)
            suspects.append(pc.or_(is_long, pc.equal(values, PYARROW_NULL)))
        suspect = pc.fill_null(reduce(pc.or_, suspects), False).combine_chunks()
        texts = self.texts(rows.filter(suspect)).to_pylist()
        problems = pa.array([self.problem(self.of_text(text)) for text in texts], pa.string())
        return pc.replace_with_mask(pa.nulls(len(rows), pa.string()), suspect, problems)

    def texts(self, rows: pa.Table) -> pa.ChunkedArray:
        """The partition of each row as one text; null if a value is null."""
        return texts_of(rows, self.schema.names)

    def of_text(self, text: str) -> Partition:
        """The partition of a text of `texts` or `text_of`."""
        values = text.split(BETWEEN)
        return tuple(map(_value, self.schema.types, values))

    def columns(self, partitions: Sequence[Partition]) -> list[pa.Array]:
        """Partitions as one array per column."""
        by_column = zip(*partitions, strict=True) if partitions else ((),) * len(self.schema)
        return [pa.array(c, field.type) for c, field in zip(by_column, self.schema, strict=True)]


def text_of(partition: Partition) -> str:
    """A partition as one text."""
    return BETWEEN.join(map(_text, partition))


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: pa.DataType, text: str) -> str | int | bool:
    found: str | int | bool = pa.scalar(text).cast(kind).as_py()
    return found


def _segment(name: str, value: str) -> str:
    return f"{name}={quote(value, safe='')}"
