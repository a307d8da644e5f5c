"""Converts values to the types of columns other than text; a value that does not fit is null."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...table import ARROW, Column
from .tidying import as_text

INT64 = range(-(1 << 63), 1 << 63)
EXACT = 1 << 53
"""Up to this value, a float is an exact integer. JSON integers over 64 bits also become floats."""

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}  # unit of a timestamp to its microseconds
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number in a text. Python's own readers also take 1_0, nan, and digits of other scripts."""
SEPARATED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ISO = re.compile(r"\d{4}-\d\d-\d\d([Tt ][-+:.\dZz]+)?", re.ASCII)
"""Python's own reader takes 1712010101200, milliseconds, for a time in the year 1712."""
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
        return float(_plain(value, column) if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None


def _plain(text: str, column: Column) -> str:
    """A number's text as Python reads it; "" if it is no number."""
    text = text.strip()
    if column.decimal == ",":
        text = text.translate(str.maketrans(",.", ".,"))
    if column.decimal and SEPARATED.fullmatch(text):
        text = text.replace(",", "")
    return text if NUMBER.fullmatch(text) else ""


def _int64(value: Any, column: Column) -> int | None:
    if isinstance(value, str):
        try:
            value = int(_plain(value, column))
        except ValueError:
            value = _float64(value, column)
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= EXACT else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value in INT64 else None


def _bool(value: Any, column: Column) -> bool | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # Arrow reads 1 as 1.0 if another record has 1.5
    false, true = map(str.lower, column.false_true)
    return {"false": False, "true": True, false: False, true: True}.get(str(value).strip().lower())


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
    text = ISO_FRACTION.sub(lambda digits: digits[0][:6].ljust(6, "0"), text)
    return text if ISO.fullmatch(text) else ""


def _json(value: Any, column: Column) -> str | None:
    """Any value but null as its JSON text."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError):  # a number past float64; a deep nesting
        return None
    return None if value is None else as_text(text)


READERS: dict[str, Callable[[Any, Column], Any]] = {
    "int64": _int64,
    "float64": _float64,
    "bool": _bool,
    "timestamp": _timestamp,
    "json": _json,
}
"""Type of a column to the function that reads its values; None is a value that does not fit."""
