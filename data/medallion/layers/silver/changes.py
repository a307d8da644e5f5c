"""What changed between two versions of silver, row by row. Pure functions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...lake.manifest import Changes
from ...lake.partitions import Partition
from ...table import Table

LISTED = 1_000  # rows of each kind of change, at most; the counts cover all rows
LEFT, RIGHT = "_before", "_after"


@dataclass(frozen=True)
class Comparison:
    """The differences between two versions, for some ids."""

    counts: Counter[str]
    """Rows by kind of change."""
    rows: Mapping[str, list[dict[str, Any]]]
    """Kind of change to its first rows by id, ready for JSON."""
    was: Counter[Partition]
    """Partition to its rows in the previous version."""
    now: Counter[Partition]
    """Partition to its rows in the new version."""

    @property
    def changes(self) -> Changes:
        """The counts, as a manifest stores them."""
        return Changes(**self.counts, partitions=len(self.was.keys() | self.now.keys()))

    def report(self, table: Table) -> dict[str, Any]:
        """The listed rows, and the changed partitions with their row counts before and after."""
        names = (*table.partitions, "before", "after")
        partitions = [
            dict(zip(names, (*values, self.was[values], self.now[values]), strict=True))
            for values in sorted(self.was.keys() | self.now.keys())
        ]
        return {**self.rows, "partitions": partitions}


def compare_rows(table: Table, before: pa.Table, after: pa.Table) -> Comparison:
    """Count and list the rows that differ, of changed partitions, in the located schema."""
    rows = _sides(table, before, after)
    first = table.partitions[0]
    added, removed = (pc.is_null(rows[first + side]) for side in (LEFT, RIGHT))
    both = pc.invert(pc.or_(added, removed))
    known = [c.name for c in table.columns if c.accepted_values is not None]
    others = [name for name in table.schema.names if name not in {*table.keys, *known}]
    moved = pc.and_(both, _differ(rows, *table.partitions))
    recategorized = pc.and_(both, _differ(rows, *known))
    touched = pc.or_(moved, recategorized)
    changed = pc.and_(pc.and_(both, _differ(rows, *others)), pc.invert(touched))
    kinds = {
        "added": added,
        "removed": removed,
        "moved": moved,
        "recategorized": recategorized,
        "changed": changed,
    }
    found = {kind: rows.filter(mask) for kind, mask in kinds.items()}
    return Comparison(
        counts=Counter({kind: len(some) for kind, some in found.items()}),
        rows={
            kind: [_row(table, row, kind) for row in some.slice(0, LISTED).to_pylist()]
            for kind, some in found.items()
        },
        was=_by_partition(table, before),
        now=_by_partition(table, after),
    )


def join_comparisons(table: Table, parts: Iterable[Comparison]) -> Comparison:
    """Join the comparisons of several sets of keys into one."""
    counts, was, now = Counter[str](), Counter[Partition](), Counter[Partition]()
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in parts:
        counts.update(part.counts)
        was.update(part.was)
        now.update(part.now)
        for name, found in part.rows.items():
            both = merge(rows.get(name, []), found, key=itemgetter(*table.keys))
            rows[name] = list(islice(both, LISTED))
    return Comparison(counts, rows, was, now)


def to_json(report: Mapping[str, Any]) -> bytes:
    """A change report as JSON, one row per line."""
    parts = []
    for name, value in report.items():
        if isinstance(value, list) and value:
            items = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            parts.append(f' "{name}": [\n  {items}\n ]')
        else:
            parts.append(f' "{name}": {json.dumps(value, ensure_ascii=False)}')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _sides(table: Table, before: pa.Table, after: pa.Table) -> pa.Table:
    """Both versions of each key in one row, sorted by key; a missing side is null."""

    def side(rows: pa.Table, suffix: str) -> pa.Table:
        names = [*table.keys, *(name + suffix for name in rows.column_names)]
        return rows.select([*table.keys, *rows.column_names]).rename_columns(names)

    keys = list(table.keys)
    joined = side(before, LEFT).join(side(after, RIGHT), keys, join_type="full outer")
    return joined.sort_by([(name, "ascending") for name in keys])


def _differ(rows: pa.Table, *columns: str) -> pa.ChunkedArray:
    """True where at least one of the columns differs between the sides; null equals null."""
    found = pa.chunked_array([pa.array([False] * len(rows), pa.bool_())])
    for name in columns:
        left, right = rows[name + LEFT], rows[name + RIGHT]
        unequal = pc.fill_null(pc.not_equal(left, right), False)
        one_null = pc.xor(pc.is_null(left), pc.is_null(right))
        found = pc.or_(found, pc.or_(unequal, one_null))
    return found


def _row(table: Table, row: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A listed row as it is now, or was; and both values of each column that differs."""
    side = LEFT if kind == "removed" else RIGHT
    found = {name: _plain(row[name]) for name in table.keys}
    found |= {name: _plain(row[name + side]) for name in (*table.shown, *table.partitions)}
    if kind in ("added", "removed"):
        return found
    names = [c.name for c in table.columns if row[c.name + LEFT] != row[c.name + RIGHT]]
    for name, side in (("from", LEFT), ("to", RIGHT)):
        found[name] = {column: _plain(row[column + side]) for column in names}
    return found


def _plain(value: Any) -> Any:
    """A value ready for JSON."""
    return value.isoformat() if isinstance(value, datetime) else value


def _by_partition(table: Table, rows: pa.Table) -> Counter[Partition]:
    names = list(table.partitions)
    groups = rows.group_by(names).aggregate([([], "count_all")]).to_pylist()
    return Counter({tuple(g[n] for n in names): g["count_all"] for g in groups})
