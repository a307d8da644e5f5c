"""JSON as the server writes it, which is PHP, and as older servers wrote it."""

from __future__ import annotations

import json
from typing import Any

_COMPACT = json.JSONEncoder(separators=(",", ":"))


def encode(value: Any) -> bytes:
    r"""Write JSON as PHP does: text \u-escaped, slashes \/, floats of 14 significant digits."""
    return _COMPACT.encode(_with_php_floats(value)).replace("/", "\\/").encode("ascii")


def _with_php_floats(value: Any) -> Any:
    if isinstance(value, float):
        rounded = float(f"{value:.14g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    if isinstance(value, dict):
        # Most items are text: to make no call for them halves the time of a crawl.
        return {
            key: _with_php_floats(item) if isinstance(item, (float, dict, list)) else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_php_floats(item) for item in value]
    return value


def old_shape(record: Any) -> Any:
    """A record with its coordinates as text, as servers before 2025 wrote them."""
    if not isinstance(record, dict):
        return record
    numbers = {
        field: str(_with_php_floats(record[field]))
        for field in ("longitude", "latitude")
        if isinstance(record.get(field), (int, float))
    }
    return {**record, **numbers}
