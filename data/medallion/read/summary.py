"""A change report as lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..flow import Flow

FIRST = 20  # rows of each kind of change

_REST = (
    "FORMAT=json lists the first 1,000 rows of each kind; make sql AT=<run> has all rows of "
    "a version."
)


def lines_of(flow: Flow, report: Mapping[str, Any]) -> Iterator[str]:
    """What came, went, moved and changed, with the first rows of each kind."""
    table, counts = flow.table, report.get("counts", {})
    before = report.get("before")
    yield f"{flow.silver.path}, from {before or 'nothing'} to {report['snapshot']}"
    if not before and counts.get("added"):
        yield "This is the first version, or the one before is not known: all rows count as added."
    known = [column.name for column in table.columns if column.accepted_values is not None]
    kinds = {
        "added": "",
        "removed": "",
        "moved": f"to another {' or '.join(table.partitions)}",
        "recategorized": f"another {' or '.join(known)}",
        "changed": "another value in some other column",
    }
    for kind, meaning in kinds.items():
        yield f"  {kind:14}{counts.get(kind, 0):>10,}  {meaning}".rstrip()
    for kind in kinds:
        if rows := report.get(kind):
            yield f"\n{kind}:"
            for row in rows[:FIRST]:
                yield from _lines_of(row)
            if more := counts[kind] - len(rows[:FIRST]):
                yield f"  and {more:,} more"
    if any(counts.get(kind, 0) > FIRST for kind in kinds):
        yield f"\n{_REST}"


def _lines_of(row: Mapping[str, Any]) -> Iterator[str]:
    """A row, and each of its values that changed."""
    old, new = row.get("from", {}), row.get("to", {})
    values = (value for name, value in row.items() if name not in ("from", "to"))
    yield "  " + ", ".join(map(_shown, values))
    for name in new:
        if old[name] != new[name]:  # reports of earlier releases list equal values too
            yield f"      {name}: {_quoted(old[name])} -> {_quoted(new[name])}"


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return _quoted(value).strip('"') if isinstance(value, str) else _quoted(value)
