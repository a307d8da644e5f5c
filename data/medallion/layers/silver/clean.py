"""Silver's tasks that clean: ranges of bronze become rows by partition, and keys by hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

import pyarrow as pa

from ...lake.errors import ObjectDiffers
from ...lake.manifest import Manifest, PartHashes, StoredObject
from ...lake.partitions import Partition
from ...lake.records import lines_within
from ...step import Step
from ...table import POSITION, texts_of
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

# The system allocates and frees larger blocks every time.
AT_ONCE = 8 << 20  # bytes of records to read at a time
PIECE_OF_A_LINE = 64 << 10  # bytes to read at a time to find the end of a range's last line

# More than the records of any range. The first position of each range is a multiple of it.
RANGE_POSITIONS = 1 << 32

REJECTED_SCHEMA = pa.schema(
    [("record", pa.string()), ("reason", pa.string()), (POSITION, pa.int64())]
)


@dataclass(frozen=True)
class Range:
    """A part of bronze's object: the lines that begin at the bytes from `start` up to `end`."""

    key: str
    size: int
    start: int
    end: int
    sha256: str


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
    """Clean the records of a version of bronze; errors as of `clean_range`."""
    entry, writer, rows = version.only_object(), step.writer, version.rows_out
    # The rows of both versions may differ.
    rows += writer.previous.rows_out if writer.previous else 0
    key_buckets = few_buckets(rows, READ_AT_ONCE)
    buckets = few_buckets(entry.bytes, TASK_BYTES)
    plan = Plan.of(step.flow, writer.writer_id, buckets, key_buckets)
    spans = ranges(entry, version.parts) if version.parts else []
    name = entry.sha256[:16]
    tasks = [
        partial(clean_range, plan=plan, span=span, name=f"{name}-{n:06}", first=n * RANGE_POSITIONS)
        for n, span in enumerate(spans)
    ]
    cleaned = list(step.engine.run(tasks, "cleaning bronze"))
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

    `first` is the position of its first record; later ranges have greater positions.

    Raises:
        ObjectMissing: the object is gone.
        ObjectDiffers: the range differs from the manifest.
    """
    tables, rejected, batches, records = [plan.table.clean_schema.empty_table()], [], [], 0
    refused = set[bytes]()
    content = _content(context, span)
    for lines in lines_within(content, span.start, span.end, AT_ONCE):
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
    by_partition = _by_partition(partitions, buckets)
    counted = partitions.value_counts().to_pylist()
    return CleanedRange(
        records=records,
        rows=scatter(scratch, f"{name}-rows", rows, by_partition, buckets),
        keys=scatter(scratch, f"{name}-keys", keys, buckets_of(keys["key"], buckets), buckets),
        rejected=scatter(
            scratch, f"{name}-rejected", unusable, buckets_of(unusable[POSITION], 1), 1
        ),
        unusable=len(rejected),
        by_partition=Counter({of_text(found["values"]): found["counts"] for found in counted}),
        seen=drift.seen_in_all(batches),
    )


def _by_partition(partitions: pa.DictionaryArray, buckets: int) -> Buckets:
    found: Buckets = buckets_of(partitions.dictionary, buckets)[partitions.indices.to_numpy()]
    return found


def ranges(entry: StoredObject, parts: PartHashes) -> list[Range]:
    """Divide bronze's object into the parts of which its manifest has the hashes."""
    starts = range(0, entry.bytes, parts.size)
    return [
        Range(entry.key, entry.bytes, start, min(start + parts.size, entry.bytes), digest)
        for start, digest in zip(starts, parts.sha256, strict=True)
    ]


def _content(context: TaskContext, span: Range) -> Iterator[bytes]:
    """Read the object from one byte before a range, and past its end while the caller reads."""
    digest, before, held = hashlib.sha256(), min(span.start, 1), b""
    start = span.start - before
    for chunk in context.lake.store.stream("bronze", span.key, start, span.end):
        digest.update(memoryview(chunk)[before:])
        before = 0
        if held:
            yield held
        held = chunk
    if span.sha256 != digest.hexdigest():
        what = f"sha256 of bytes {span.start} to {span.end}"
        raise ObjectDiffers(f"bronze/{span.key}", what, span.sha256, digest.hexdigest())
    yield held
    for start in range(span.end, span.size, PIECE_OF_A_LINE):
        end = min(start + PIECE_OF_A_LINE, span.size)
        yield from context.lake.store.stream("bronze", span.key, start, end)
