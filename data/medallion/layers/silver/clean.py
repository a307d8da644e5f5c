"""Silver's tasks that clean: bronze's records become rows, scattered into hash buckets.

Each range of bronze is scattered twice: its rows by partition, its keys by hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import pyarrow as pa

from ...lake.manifest import Manifest
from ...lake.partitions import Partition
from ...step import Step
from ...table import POSITION, texts_of
from ...work.engine import Task
from ...work.regrouping import few_buckets
from ...work.shuffle import (
    TASK_BYTES,
    Buckets,
    ShuffleFile,
    TaskContext,
    buckets_of,
    gather,
    scatter,
    segments_of,
)
from . import drift
from .cleaner import Rejected
from .drift import Seen
from .plan import READ_AT_ONCE, Plan
from .ranges import Range, check_object, lines_of, ranges

# More than the records of any range. The first position of each range is a multiple of it.
RANGE_POSITIONS = 1 << 32

REJECTED_SCHEMA = pa.schema(
    [("record", pa.string()), ("reason", pa.string()), (POSITION, pa.int64())]
)


@dataclass(frozen=True)
class CleanedRange:
    """A cleaned range: shuffle files of the usable rows, of their keys, and of the rejects."""

    records: int
    rows: ShuffleFile
    keys: ShuffleFile
    rejected: ShuffleFile
    unusable: int
    by_partition: Counter[Partition]
    seen: Seen


@dataclass(frozen=True)
class Cleaned:
    """Bronze's records, cleaned and scattered into hash buckets."""

    version: Manifest
    plan: Plan
    ranges: list[CleanedRange]
    seen: drift.Seen

    @property
    def rejected(self) -> int:
        """The number of rejects."""
        return sum(cleaned.unusable for cleaned in self.ranges)


def clean(step: Step, version: Manifest) -> Cleaned:
    """Clean the records of a version of bronze; errors as of `lines_of`."""
    entry, writer, rows = version.only_object(), step.writer, version.rows_out
    # The rows of both versions may differ.
    rows += writer.previous.rows_out if writer.previous else 0
    key_buckets = few_buckets(rows, READ_AT_ONCE)
    buckets = few_buckets(entry.bytes, TASK_BYTES)
    plan = Plan.of(step.flow, writer.writer_id, buckets, key_buckets)
    spans = ranges(entry.key, entry.bytes, version.parts)
    name = entry.sha256[:16]
    tasks: list[Task[CleanedRange | None]] = [
        partial(clean_range, plan=plan, span=span, name=f"{name}-{n:06}", first=n * RANGE_POSITIONS)
        for n, span in enumerate(spans)
    ]
    if any(span.sha256 is None for span in spans):
        tasks.insert(0, partial(check_object, entry=entry))
    cleaned = [done for done in step.engine.run(tasks, "cleaning bronze") if done]
    return Cleaned(version, plan, cleaned, drift.seen_in_all(one.seen for one in cleaned))


def rejected(step: Step, cleaned: Cleaned) -> Iterator[str]:
    """The rejects as JSON, with their positions in bronze."""
    starts = accumulate((one.records for one in cleaned.ranges), initial=0)
    for start, one in zip(starts, cleaned.ranges, strict=False):
        rows = gather(step.engine.context.scratch, segments_of([one.rejected], 0), REJECTED_SCHEMA)
        for row in rows.to_pylist():
            position = start + row["position"] % RANGE_POSITIONS
            yield Rejected(row["record"], row["reason"], position).to_json()


def clean_range(
    context: TaskContext, plan: Plan, span: Range, name: str, first: int
) -> CleanedRange:
    """Clean the records of a range, into shuffle files of a name.

    `first` is the position of its first record; later ranges have greater positions. Errors as of
    `lines_of`.
    """
    tables, rejected, batches, records = [plan.table.clean_schema.empty_table()], [], [], 0
    refused = set[bytes]()
    for lines in lines_of(context, span):
        table, some, seen = plan.cleaner(lines, first + records, refused)
        tables.append(table)
        rejected += [vars(row) for row in some]
        batches.append(seen)
        records += len(lines)
    rows = pa.concat_tables(tables)
    unusable = pa.Table.from_pylist(rejected, REJECTED_SCHEMA)
    partitions = plan.partitions_of(rows)
    newest = [rows[plan.table.newest]] if plan.table.newest else []
    columns = [texts_of(rows, plan.table.keys), rows[POSITION], partitions, *newest]
    keys = pa.table(columns, plan.keys_schema)
    scratch, buckets, of_text = context.scratch, plan.buckets, plan.partitioning.of_text
    by_partition, one = _by_partition(partitions, buckets), buckets_of(unusable[POSITION], 1)
    counted = partitions.value_counts().to_pylist()
    return CleanedRange(
        records=records,
        rows=scatter(scratch, f"{name}-rows", rows, by_partition, buckets),
        keys=scatter(scratch, f"{name}-keys", keys, buckets_of(keys["key"], buckets), buckets),
        rejected=scatter(scratch, f"{name}-rejected", unusable, one, 1),
        unusable=len(rejected),
        by_partition=Counter({of_text(found["values"]): found["counts"] for found in counted}),
        seen=drift.seen_in_all(batches),
    )


def _by_partition(partitions: pa.DictionaryArray, buckets: int) -> Buckets:
    found: Buckets = buckets_of(partitions.dictionary, buckets)[partitions.indices.to_numpy()]
    return found
