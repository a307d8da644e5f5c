"""Converts values to the types of columns other than text; a value that does not fit is null."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..table import ARROW, Column
from .tidying import as_text

INT64 = range(-(1 << 63), 1 << 63)
EXACT = 1 << 53
"""Up to this value, a float is an exact integer. JSON integers over 64 bits also become floats."""

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
"""Unit of a timestamp to its microseconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"(?:[Zz]|([+-]\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)
"""ISO 8601 with a whole date. Python reads more: 1712010101200, milliseconds, as the year 1712."""


def _number_of(thousands: str, mark: str) -> re.Pattern[str]:
    whole = rf"(?:\d{{1,3}}(?:{thousands}\d{{3}})+|\d*)"
    return re.compile(rf"[+-]?(?={mark}?\d){whole}(?:{mark}\d*)?(?:[eE][+-]?\d+)?", re.ASCII)


NUMBERS = {
    "": (_number_of("(?!)", r"\."), {}),
    ".": (_number_of(",", r"\."), {ord(","): None}),
    ",": (_number_of(r"\.", ","), {ord("."): None, ord(","): "."}),
}
"""`Column.decimal` to the texts that are numbers, and what to replace for Python, which itself reads
more: 1_0, nan, digits of other scripts."""


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
    form, replaced = NUMBERS[column.decimal]
    return text.translate(replaced) if form.fullmatch(text := text.strip()) else ""


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
            return _moment(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return EPOCH + timedelta(microseconds=round(value * UNITS[column.unit]))
    except (ValueError, OverflowError):
        pass
    return None


def _moment(text: str) -> datetime | None:
    """Parse ISO 8601; written anew, because Python before 3.11 reads only some of its forms."""
    if not (found := ISO.fullmatch(text.strip())):
        return None
    day, hour, minute, second, fraction, _, minutes = found.groups("00")
    plain = f"{day}T{hour}:{minute}:{second}.{fraction[:6]:0<6}{found[6] or '+00'}:{minutes}"
    return datetime.fromisoformat(plain).astimezone(timezone.utc)


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
