"""One version of the records, and the responses from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from random import Random
from typing import Any

from .encoding import encode, old_shape
from .queries import Sort


class Data:
    """One version of the records, with everything for responses, which is computed on first use."""

    def __init__(self, records: Sequence[Any]) -> None:
        self.records = tuple(records)
        self.order = lru_cache(maxsize=16)(self._order)
        self._json: dict[tuple[int, bool], bytes] = {}

    def json(self, row: int, string_coordinates: bool) -> bytes:
        """The JSON of a record, as the server writes it."""
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
        }

    def changed(self, random: Random) -> Data:
        """The data with one record removed, one changed and one added.

        By id, the first record is removed, the middle one changes its type, and the new one is the
        last. So all others move up one place.
        """
        rows = [row for row in self.order((("id", False),)) if self._text(row, "id") is not None]
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

    def _order(self, sort: Sort) -> list[int]:
        rows = list(range(len(self.records)))
        for field, descending in reversed(sort):
            keys = [_sort_key(self._field(row, field)) for row in range(len(rows))]
            rows.sort(key=keys.__getitem__, reverse=descending)
        return rows

    def _counts(self, field: str) -> dict[str, int]:
        texts = (self._text(row, field) for row in range(len(self.records)))
        return dict(sorted(Counter(text for text in texts if text is not None).items()))

    def _field(self, row: int, field: str) -> Any:
        record = self.records[row]
        return record.get(field) if isinstance(record, dict) else None

    def _text(self, row: int, field: str) -> str | None:
        value = self._field(row, field)
        return value if isinstance(value, str) else None


def _sort_key(value: Any) -> tuple[int, Any]:
    """SQLite's order: null, then numbers, then text by code point; other types are as null."""
    if isinstance(value, str):
        return 2, value
    if isinstance(value, (int, float)):
        return 1, value
    return 0, 0
