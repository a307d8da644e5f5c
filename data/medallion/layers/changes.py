"""What changed between two versions of silver, row by row. Pure functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...breweries.table import KIND, LOCATION, SCHEMA
from ..lake.manifest import Changes
from ..lake.partitions import Location

LISTED = 1_000
"""Rows listed of each kind of change; the counts are of all."""

LEFT, RIGHT = "_before", "_after"


@dataclass(frozen=True)
class Comparison:
    """What differs between two versions of some ids."""

    counts: Counter[str]
    """Rows by kind of change."""
    rows: Mapping[str, list[dict[str, Any]]]
    """Of each kind of change the first rows by id, JSON-ready."""
    was: Counter[Location]
    """The rows of each location before."""
    now: Counter[Location]
    """The rows of each location after."""

    @property
    def changes(self) -> Changes:
        """The counts, as a manifest keeps them."""
        return Changes(**self.counts, locations=len(self.was.keys() | self.now.keys()))

    @property
    def report(self) -> dict[str, Any]:
        """The rows, and the locations that changed with their rows before and after."""
        locations = [
            {**dict(zip(LOCATION, w, strict=True)), "before": self.was[w], "after": self.now[w]}
            for w in sorted(self.was.keys() | self.now.keys())
        ]
        return {**self.rows, "locations": locations}


def compare(before: pa.Table, after: pa.Table) -> Comparison:
    """Count and list the rows that differ.

    Args:
        before: the rows of the locations that changed, as they were: a table of `LOCATED_SCHEMA`.
        after: the same locations as they are; unchanged locations stand in neither.
    """
    rows = _sides(before, after)
    added, removed = (pc.is_null(rows[LOCATION[0] + side]) for side in (LEFT, RIGHT))
    both = pc.invert(pc.or_(added, removed))
    moved = pc.and_(both, _differ(rows, *LOCATION))
    retyped = pc.and_(both, _differ(rows, KIND))
    others = [name for name in SCHEMA.names if name not in {"id", KIND}]
    touched = pc.or_(moved, retyped)
    otherwise = pc.and_(pc.and_(both, _differ(rows, *others)), pc.invert(touched))
    kinds: dict[str, tuple[Any, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
        "added": (added, lambda row: _row(row, RIGHT)),
        "removed": (removed, lambda row: _row(row, LEFT)),
        "moved": (moved, lambda row: _from_to(row, *LOCATION)),
        "changed_type": (retyped, lambda row: _from_to(row, KIND)),
        "changed_otherwise": (otherwise, lambda row: _row(row, RIGHT)),
    }
    return Comparison(
        counts=Counter({name: _true(mask) for name, (mask, _) in kinds.items()}),
        rows={
            name: [show(row) for row in rows.filter(mask).slice(0, LISTED).to_pylist()]
            for name, (mask, show) in kinds.items()
        },
        was=_by_location(before),
        now=_by_location(after),
    )


def joined(parts: Iterable[Comparison]) -> Comparison:
    """The comparisons of several sets of ids as that of all."""
    counts, was, now = Counter[str](), Counter[Location](), Counter[Location]()
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        counts.update(part.counts)
        was.update(part.was)
        now.update(part.now)
        for name, found in part.rows.items():
            both = merge(rows.get(name, []), found, key=itemgetter("id"))
            rows[name] = list(islice(both, LISTED))
    return Comparison(counts, rows, was, now)


def to_json(report: Mapping[str, Any]) -> bytes:
    """A change report as it is stored: JSON, one row a line."""
    parts = []
    for name, value in report.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            parts.append(f' "{name}": [\n  {items}\n ]')
        else:
            parts.append(f' "{name}": {json.dumps(value, ensure_ascii=False)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _sides(before: pa.Table, after: pa.Table) -> pa.Table:
    """Both sides of each id in one row, sorted by id; a side that is not there is null."""

    def side(table: pa.Table, suffix: str) -> pa.Table:
        names = [name if name == "id" else name + suffix for name in table.column_names]
        return table.rename_columns(names)

    joined = side(before, LEFT).join(side(after, RIGHT), "id", join_type="full outer")
    return joined.sort_by("id")


def _true(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask, min_count=0).as_py())


def _differ(rows: pa.Table, *columns: str) -> pa.ChunkedArray:
    """Where any of some columns is not the same on both sides; null equals null."""
    found = pa.chunked_array([pa.array([False] * len(rows), pa.bool_())])
    for name in columns:
        left, right = rows[name + LEFT], rows[name + RIGHT]
        unequal = pc.fill_null(pc.not_equal(left, right), False)
        one_null = pc.xor(pc.is_null(left), pc.is_null(right))
        found = pc.or_(found, pc.or_(unequal, one_null))
    return found


def _row(row: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        **{name: row[name + side] for name in ("name", KIND, *LOCATION)},
    }


def _from_to(row: Mapping[str, Any], *columns: str) -> dict[str, Any]:
    return {
        **_row(row, RIGHT),
        "from": {name: row[name + LEFT] for name in columns},
        "to": {name: row[name + RIGHT] for name in columns},
    }


def _by_location(rows: pa.Table) -> Counter[Location]:
    grouped = rows.group_by(list(LOCATION)).aggregate([([], "count_all")])
    return Counter({tuple(g[n] for n in LOCATION): g["count_all"] for g in grouped.to_pylist()})
