"""Where a location stands: `country=<country>/state=<state>/`, encoded once, as pyarrow does."""

from __future__ import annotations

from urllib.parse import quote, unquote

from ...breweries.table import LOCATION
from ..errors import ObjectUnreadable

Location = tuple[str, str]
"""Country and state."""

LONGEST_SEGMENT = 255
"""Bytes; stores that keep objects as files take no longer part of a key between two slashes."""

PYARROW_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What pyarrow and Hive read as null, so no location can be called that."""


def partition(country: str, state: str) -> str:
    """The path of a location, its values percent-encoded (pyarrow's `segment_encoding="uri"`)."""
    return "/".join(map(_segment, LOCATION, (country, state)))


def location(key: str) -> Location:
    """The country and the state of an object's key: the inverse of `partition`.

    Raises:
        ObjectUnreadable: the key holds none.
    """
    values = dict(part.split("=", 1) for part in key.split("/") if "=" in part)
    if not values.keys() >= set(LOCATION):
        raise ObjectUnreadable(key, "its key has no location")
    country, state = (unquote(values[name]) for name in LOCATION)
    return country, state


def problem(country: str, state: str) -> str | None:
    """Why a location cannot be a partition, or None."""
    for name, value in zip(LOCATION, (country, state), strict=True):
        if len(_segment(name, value)) > LONGEST_SEGMENT:
            return f"{name} too long for a key"
        if value == PYARROW_NULL:
            return f"{name} is the mark for null"
    return None


def _segment(name: str, value: str) -> str:
    return f"{name}={quote(value, safe='')}"
