"""Reads silver's objects again, to check them and to compare them with the previous version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...context import FlowContext
from ...lake import parquet
from ...lake.batches import grouped
from ...lake.datasets import Dataset
from ...lake.errors import LakeError, StoreError
from ...lake.lake import Lake
from ...lake.manifest import Changes, Manifest, StoredObject
from ...lake.partitions import Partitioning
from ...step import Step
from ...table import texts_of
from ...work.regrouping import by_key, few_buckets
from ...work.shuffle import Segment, ShuffleFile, TaskContext, buckets_of, gather, scatter
from ..errors import CheckFailed
from .changes import Comparison, compare_rows, join_comparisons, to_json
from .plan import READ_AT_ONCE, Plan, content_of, folder_of
from .write import Written


def verify(context: FlowContext, dataset: Dataset) -> None:
    """Read every object of the manifest as a reader would; errors as of `check_keys`."""
    context.lake.read_current(dataset, partial(check_keys, context))


def check_keys(context: FlowContext, version: Manifest) -> None:
    """Count a version's distinct keys; CheckFailed or LakeError if they are not its rows."""
    plan = Plan.of(context.flow, key_buckets=few_buckets(version.rows_out, READ_AT_ONCE))
    keys, buckets = plan.table.keys, plan.key_buckets
    schema = pa.schema([plan.table[name].field for name in keys])
    shuffle_files = _scattered(context, plan, "exact", version.objects, schema)
    tasks = [
        partial(count_keys, schema=schema, segments=segments)
        for (segments,) in by_key(context.engine, schema, keys, buckets, shuffle_files)
    ]
    found = sum(context.engine.run(tasks, "counting silver's keys"))
    if found != version.rows_out:
        what = f"the number of distinct values of {', '.join(keys)} in silver"
        raise CheckFailed(what, version.rows_out, found)


def report_changes(
    step: Step, plan: Plan, written: Sequence[Written], snapshot: str
) -> tuple[Changes, bytes]:
    """Compare what is written of a snapshot with the previous version.

    Returns:
        The counts, which are zero if both have the same objects; and the report of them as JSON.
    """
    objects = [entry for one in written for entry in one.objects]
    previous, schema, counts = step.writer.previous, plan.table.located_schema, Changes()
    before = {content_of(entry): entry for entry in (previous.objects if previous else ())}
    after = {content_of(entry) for entry in objects}
    report: dict[str, Any] = {"run": step.run, "snapshot": snapshot}
    report |= {"before": previous.snapshot if previous else None}
    rows: dict[str, Any] = {}
    if before.keys() != after:
        gone = [entry for content, entry in before.items() if content not in after]
        try:
            was = _scattered(step, plan, "before", gone, schema)
        except (LakeError, StoreError):
            # A damaged version is replaced too; its rows are unknown.
            report["before_readable"], before = False, {}
        if before:
            keys, buckets, now = plan.table.keys, plan.key_buckets, [one.new for one in written]
            tasks = [
                partial(compare_bucket, plan=plan, before=earlier, after=later)
                for earlier, later in by_key(step.engine, schema, keys, buckets, was, now)
            ]
            compared = step.engine.run(tasks, "comparing with the previous version")
            found = join_comparisons(plan.table, compared)
            counts, rows = found.changes, found.report(plan.table)
        else:
            added = sum(entry.rows for entry in objects)
            counts = Changes(added=added, partitions=partitions_in(objects))
    return counts, to_json({**report, "counts": counts.model_dump(), **rows})


def scatter_objects(
    context: TaskContext,
    plan: Plan,
    entries: Sequence[StoredObject],
    name: str,
    schema: pa.Schema,
) -> ShuffleFile:
    """Scatter columns of silver objects by key; errors as of `read_located`."""
    rows = pa.concat_tables(read_located(context.lake, plan.partitioning, schema, entries))
    buckets = buckets_of(texts_of(rows, plan.table.keys), plan.key_buckets)
    return scatter(context.scratch, name, rows, buckets, plan.key_buckets)


def read_located(
    lake: Lake, partitioning: Partitioning, schema: pa.Schema, entries: Iterable[StoredObject]
) -> Iterator[pa.Table]:
    """Columns of silver objects, those of partitions from their keys; errors as of `Lake.read`."""
    for entry, content in lake.contents("silver", entries):
        located = partitioning.values(entry.key)
        stored = [field for field in schema if field.name not in located]
        found = parquet.decode(f"silver/{entry.key}", content, entry, stored, missing_as_null=True)
        columns = [
            pa.repeat(pa.scalar(located[field.name], field.type), entry.rows)
            if field.name in located
            else found[field.name]
            for field in schema
        ]
        yield pa.table(columns, schema) if columns else found


def compare_bucket(
    context: TaskContext, plan: Plan, before: Sequence[Segment], after: Sequence[Segment]
) -> Comparison:
    """Compare two versions, for the keys of one hash bucket."""
    schema = plan.table.located_schema
    was, now = (gather(context.scratch, segments, schema) for segments in (before, after))
    return compare_rows(plan.table, was, now)


def count_keys(context: TaskContext, schema: pa.Schema, segments: Sequence[Segment]) -> int:
    """The number of distinct keys in a hash bucket; there are no other columns."""
    keys = texts_of(gather(context.scratch, segments, schema), schema.names)
    return int(pc.count_distinct(keys).as_py())


def partitions_in(entries: Sequence[StoredObject]) -> int:
    """The number of partitions of some objects."""
    return len({*map(folder_of, entries)})


def _scattered(
    context: FlowContext,
    plan: Plan,
    name: str,
    entries: Sequence[StoredObject],
    schema: pa.Schema,
) -> list[ShuffleFile]:
    """Scatter columns of published objects by key."""
    groups = grouped(entries, attrgetter("weight"), READ_AT_ONCE)
    scattered = partial(scatter_objects, plan=plan, schema=schema)
    tasks = [
        partial(scattered, entries=group, name=f"{name}-{number:06}")
        for number, group in enumerate(groups)
    ]
    return list(context.engine.run(tasks, "reading silver"))
