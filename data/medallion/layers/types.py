"""Converts values to the types of columns other than text; a value that does not fit is null."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..table import ARROW, Column

INT64 = range(-(1 << 63), 1 << 63)
EXACT = 1 << 53
"""Up to this value, a float is an exact integer. JSON integers over 64 bits also become floats."""

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
"""Unit of a timestamp to its microseconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ISO_FRACTION = re.compile(r"(?<=\.)\d+")


def typed(column: Column, values: pa.Array | list[Any]) -> pa.Array:
    """Convert a field's JSON values, or what Arrow read of them, to a column that is not text."""
    found = _cast(column, values) if isinstance(values, pa.Array) else None
    if found is None:
        read = READERS[column.type]
        listed = values.to_pylist() if isinstance(values, pa.Array) else values
        found = pa.array([read(value, column) for value in listed], ARROW[column.type])
    if column.type == "float64":
        found = pc.if_else(pc.is_finite(found), found, None)
    if column.bounds is None:
        return found
    lowest, highest = column.bounds
    # NaN fails both comparisons.
    inside = pc.and_(pc.greater_equal(found, lowest), pc.less_equal(found, highest))
    return pc.if_else(inside, found, None)


def has_value(value: Any) -> bool:
    """Whether a field's value is neither null nor blank."""
    return value is not None and not (isinstance(value, str) and not value.strip())


def _cast(column: Column, values: pa.Array) -> pa.Array | None:
    """Cast Arrow values to the column's type; None if Arrow read an unrelated type."""
    kind = ARROW[column.type]
    number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if values.type == kind or pa.types.is_null(values.type):
        return values.cast(kind)
    if column.type == "float64" and number:
        return values.cast(kind, safe=False)
    if column.type == "int64" and number:
        whole = pc.equal(values, pc.floor(values))
        return pc.if_else(whole, values, None).cast(kind)
    return None


def _float64(value: Any, column: Column) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _int64(value: Any, column: Column) -> int | None:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            value = _float64(value, column)
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= EXACT else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value in INT64 else None


def _bool(value: Any, column: Column) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _timestamp(value: Any, column: Column) -> datetime | None:
    """Parse ISO 8601 text (UTC if it has no offset), or a number in the column's unit."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(_as_python_reads_it(value))
            found = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
            return found.astimezone(timezone.utc)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return EPOCH + timedelta(microseconds=round(value * UNITS[column.unit]))
    except (ValueError, OverflowError):
        pass
    return None


def _as_python_reads_it(text: str) -> str:
    """Rewrite for Python before 3.11, which reads no Z and only fractions of 3 or 6 digits."""
    text = text.strip()
    if text[-1:] in {"Z", "z"}:
        text = f"{text[:-1]}+00:00"
    return ISO_FRACTION.sub(lambda digits: digits[0][:6].ljust(6, "0"), text)


READERS: dict[str, Callable[[Any, Column], Any]] = {
    "int64": _int64,
    "float64": _float64,
    "bool": _bool,
    "timestamp": _timestamp,
}
"""Type of a column to the function that reads its values; None is a value that does not fit."""
