"""Silver's objects read again: to check them, and to compare them with the version before."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from ..lake.errors import LakeError
from ..lake.manifest import Changes, Manifest, StoredObject
from ..lake.versions import Version
from ..work.shuffle import Piece, buckets_for, grouped, parts_of
from ..writer import Step, View
from . import changes, silver_tasks
from .errors import CheckFailed
from .silver_tasks import Silver, Written

ROWS_AT_ONCE = 200_000
"""Rows of published objects that one task reads."""


def verify(view: View) -> None:
    """Read every object that the manifest names, as a reader would, and count.

    Raises:
        CheckFailed, LakeError: silver is not what its manifest says.
    """
    silver = Silver.of(view.flow)
    key = silver.table.key

    def count(version: Version) -> tuple[int, int]:
        rows = version.manifest.rows_out
        buckets = buckets_for(rows, ROWS_AT_ONCE)
        pieces = _scattered(view, silver, "keys", version.manifest.objects, [key], buckets)
        tasks = [
            partial(silver_tasks.count_keys, silver=silver, parts=parts_of(pieces, bucket))
            for bucket in range(buckets)
        ]
        return rows, sum(view.engine.run(tasks, "counting silver's keys"))

    expected, found = view.lake.follow(view.flow.silver, count)
    if expected != found:
        raise CheckFailed(f"the number of distinct values of {key} in silver", expected, found)


def buckets_to_compare(rows: int, previous: Manifest | None) -> int:
    """Into how many buckets of keys the rows of two versions are scattered that may differ."""
    return buckets_for(rows + (previous.rows_out if previous else 0), ROWS_AT_ONCE)


def report(
    step: Step, silver: Silver, written: Sequence[Written], buckets: int, snapshot: str
) -> tuple[Changes, bytes | None]:
    """What changed since the version before, and the report of it; None where nothing did.

    Args:
        step: of this block.
        silver: the flow's.
        written: what this version has.
        buckets: into how many of keys its new rows are scattered.
        snapshot: of this version.
    """
    objects = [entry for one in written for entry in one.objects]
    previous = step.writer.previous
    before = set(previous.objects if previous else ())
    gone = by_key(before.difference(objects))
    if not gone and before.issuperset(objects):
        return Changes(), None
    said: dict[str, Any] = {"run": step.run, "snapshot": snapshot}
    said["before"] = previous.snapshot if previous else None
    columns = silver.table.schema.names
    try:
        was = _scattered(step, silver, "before", gone, columns, buckets)
    except LakeError:
        # A damaged version is replaced all the same; what it held is not known.
        said["before_readable"], before = False, set()
    if not before:
        rows = sum(entry.rows for entry in objects)
        counts = Changes(added=rows, partitions=partitions_in(objects))
        return counts, changes.to_json({**said, "counts": counts.model_dump()})
    now = [one.new for one in written]
    tasks = [
        partial(
            silver_tasks.compare,
            silver=silver,
            before=parts_of(was, bucket),
            after=parts_of(now, bucket),
        )
        for bucket in range(buckets)
    ]
    compared = step.engine.run(tasks, "comparing with the version before")
    found = changes.joined(silver.table, compared)
    report = {**said, "counts": found.changes.model_dump(), **found.report(silver.table)}
    return found.changes, changes.to_json(report)


def by_key(entries: Sequence[StoredObject] | set[StoredObject]) -> tuple[StoredObject, ...]:
    """Some objects, sorted."""
    return tuple(sorted(entries, key=attrgetter("key")))


def partitions_in(entries: Sequence[StoredObject]) -> int:
    """How many partitions some objects are of."""
    return len({entry.key.rpartition("/")[0] for entry in entries})


def _scattered(
    view: View,
    silver: Silver,
    name: str,
    entries: Sequence[StoredObject],
    columns: Sequence[str],
    buckets: int,
) -> list[Piece]:
    """Some columns of published objects, scattered by key."""
    tasks = [
        partial(
            silver_tasks.scatter_objects,
            silver=silver,
            entries=group,
            name=f"{name}-{number:06}",
            columns=columns,
            buckets=buckets,
        )
        for number, group in enumerate(grouped(entries, attrgetter("rows"), ROWS_AT_ONCE))
    ]
    return list(view.engine.run(tasks, "reading silver"))
