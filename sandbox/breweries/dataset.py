"""One version of the records, and the JSON of it as the server writes it, which is PHP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import Any

_COMPACT = json.JSONEncoder(separators=(",", ":"))


class Data:
    """One version of the records, with everything for responses, which is computed on first use."""

    def __init__(self, records: Sequence[Any]) -> None:
        self.records = tuple(records)
        self._json: dict[tuple[int, bool], bytes] = {}

    def json(self, rows: Sequence[int], string_coordinates: bool) -> bytes:
        """The JSON of some records, as the server writes it."""
        return b"[%s]" % b",".join(self._record(row, string_coordinates) for row in rows)

    def _record(self, row: int, string_coordinates: bool) -> bytes:
        key = row, string_coordinates
        if key not in self._json:
            record = self.records[row]
            self._json[key] = encode(old_shape(record) if string_coordinates else record)
        return self._json[key]

    @cached_property
    def meta(self) -> dict[str, Any]:
        """The totals that the server reports."""
        by_type = self._counts("brewery_type")
        return {
            "total": len(self.records),
            "by_state": self._counts("state_province"),
            "by_country": self._counts("country"),
            # If types differ only in case, the last count stays, as in the server.
            "by_type": {value.lower(): count for value, count in by_type.items()},
            "page": 1,
            "per_page": 50,
        }

    @cached_property
    def by_id(self) -> list[int]:
        """The rows in the order of their ids; those without one are first."""
        ids = [self._text(row, "id") or "" for row in range(len(self.records))]
        return sorted(range(len(ids)), key=ids.__getitem__)

    def changed(self, random: Random) -> Data:
        """The data with one record removed, one changed and one added.

        By id, the first record is removed, the middle one changes its type, and the new one is the
        last. So all others move up one place.
        """
        rows = [row for row in self.by_id if self._text(row, "id") is not None]
        if not rows:
            return self
        first, middle, last = rows[0], rows[len(rows) // 2], rows[-1]
        records = list(self.records)
        closed = records[middle].get("brewery_type") == "closed"
        records[middle] = {**records[middle], "brewery_type": "micro" if closed else "closed"}
        new_id = f"ffffffff-ffff-4fff-bfff-{random.getrandbits(48):012x}"
        records.append({**records[last], "id": new_id, "name": "Brand New Brewing"})
        del records[first]
        return Data(records)

    def _counts(self, field: str) -> dict[str, int]:
        texts = (self._text(row, field) for row in range(len(self.records)))
        return dict(sorted(Counter(text for text in texts if text is not None).items()))

    def _text(self, row: int, field: str) -> str | None:
        record = self.records[row]
        value = record.get(field) if isinstance(record, dict) else None
        return value if isinstance(value, str) else None


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
