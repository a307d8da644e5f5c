"""Silver's tasks that write: find superseded rows by key, divide large buckets, store files."""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, starmap

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...lake import parquet
from ...lake.batches import grouped, in_threads
from ...lake.lake import Lake
from ...lake.manifest import Profile, StoredObject
from ...lake.partitions import Partition
from ...table import POSITION, Table, declared, texts_of
from ...work.engine import Engine, Task
from ...work.regrouping import by_key
from ...work.shuffle import (
    TASK_BYTES,
    Buckets,
    Segment,
    ShuffleFile,
    TaskContext,
    buckets_of,
    gather,
    scatter,
    segments_of,
    size,
)
from . import drift
from .clean import CleanedRange
from .plan import ROWS_PER_FILE, Plan, bucket_of, content_of, files_for, folder_of

File = tuple[StoredObject, bytes, pa.Table]
"""A silver file: its object, its content and its rows."""


@dataclass(frozen=True)
class Work:
    """The work of one write task: all segments of a bucket, and the partitions in it."""

    segments: Sequence[Segment]
    files: Mapping[Partition, int]
    """Partition to its number of files; rows are divided by key."""


@dataclass(frozen=True)
class Written:
    """Written partitions: their objects, and their profile."""

    objects: tuple[StoredObject, ...]
    stored: Mapping[str, str]
    """The keys of those that were stored now, to the MD5 of their content."""
    profile: Profile
    new: ShuffleFile
    """The rows of objects that the previous version lacks, by key; empty for the first version."""


def write_rows(
    engine: Engine,
    plan: Plan,
    ranges: Sequence[CleanedRange],
    before: Collection[StoredObject] | None,
) -> tuple[list[Written], int]:
    """Store the rows of cleaned ranges; returns what was written, and the number of duplicates.

    `before` has the objects of the previous version; it is None for the first version.
    """
    duplicates = _superseded(engine, plan, ranges)
    rows = Counter[Partition]()
    for cleaned in ranges:
        rows.update(cleaned.by_partition)
    rows.subtract({partition: len(positions) for partition, positions in duplicates.items()})
    before_in: dict[str, list[StoredObject]] = defaultdict(list)
    for entry in before or ():
        before_in[folder_of(entry)].append(entry)
    none = np.empty(0, np.int64)
    tasks = []
    for number, work in enumerate(_planned(engine, plan, ranges, rows)):
        folders = [plan.folder(partition) for partition in work.files]
        task = partial(
            write_partitions,
            plan=plan,
            work=work,
            name=f"new-{number:06}",
            without=np.concatenate([none, *(duplicates.get(p, none) for p in work.files)]),
            before=None if before is None else [e for f in folders for e in before_in[f]],
        )
        tasks.append(task)
    written = list(engine.run(tasks, "writing silver"))
    return written, sum(map(len, duplicates.values()))


def _superseded(
    engine: Engine, plan: Plan, ranges: Sequence[CleanedRange]
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of superseded rows, by partition."""
    keys = [cleaned.keys for cleaned in ranges]
    tasks = [
        partial(superseded, plan=plan, segments=segments)
        for (segments,) in by_key(engine, plan.keys_schema, ("key",), plan.buckets, keys)
    ]
    found: dict[Partition, list[npt.NDArray[np.int64]]] = defaultdict(list)
    for by_partition in engine.run(tasks, "looking for duplicates"):
        for partition, positions in by_partition.items():
            found[partition].append(positions)
    return {partition: np.concatenate(positions) for partition, positions in found.items()}


def _planned(
    engine: Engine, plan: Plan, ranges: Sequence[CleanedRange], rows: Mapping[Partition, int]
) -> list[Work]:
    """Plan the write tasks: one per bucket that a task can hold, several per larger bucket."""
    shuffle_files = [cleaned.rows for cleaned in ranges]
    buckets: dict[int, list[Partition]] = defaultdict(list)
    for partition in sorted(rows):
        buckets[bucket_of(partition, plan.buckets)].append(partition)
    planned, divisions, tasks = [], [], list[Task[ShuffleFile]]()
    for bucket, within in sorted(buckets.items()):
        segments = segments_of(shuffle_files, bucket)
        files = {partition: files_for(rows[partition]) for partition in within}
        if sum(map(size, segments)) <= TASK_BYTES or sum(files.values()) == 1:
            planned.append(Work(segments, files))
        else:
            some, slots = _division(plan, bucket, segments, {p: rows[p] for p in within})
            divisions.append((len(some), slots))
            tasks += some
    smaller = engine.run(tasks, "dividing large partitions")
    for number, slots in divisions:
        shuffle_files = list(islice(smaller, number))
        planned += [Work(segments_of(shuffle_files, n), in_slot) for n, in_slot in enumerate(slots)]
    return planned


def _division(
    plan: Plan, bucket: int, segments: Sequence[Segment], rows: Mapping[Partition, int]
) -> tuple[list[Task[ShuffleFile]], list[dict[Partition, int]]]:
    """Divide a bucket that is too large for one task into slots of whole files.

    Returns:
        The tasks that scatter it; and per slot, the files of its partitions, as `Work.files`.
    """
    slots: dict[Partition, range] = {}
    within: list[dict[Partition, int]] = [{}]
    held = 0
    for partition, count in rows.items():
        if held and held + count > ROWS_PER_FILE:
            within.append({})
            held = 0
        files = files_for(count)
        slots[partition] = range(len(within) - 1, len(within) - 1 + files)
        held += count
        within[-1][partition] = files
        within += [{partition: files} for _ in range(files - 1)]
    split = partial(split_bucket, plan=plan, slots=slots, number=len(within))
    tasks: list[Task[ShuffleFile]] = [
        partial(split, segments=group, name=f"{group[0][0]}-{bucket}")
        for group in grouped(segments, size, TASK_BYTES // 2)
    ]
    return tasks, within


def superseded(
    context: TaskContext, plan: Plan, segments: Sequence[Segment]
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of superseded rows, by partition, for the keys of one hash bucket.

    Of rows with the same key, the newest is kept; else the last, because data may change during a
    crawl.
    """
    keys, kept = gather(context.scratch, segments, plan.keys_schema), "max"
    if plan.table.newest:
        order = [("newest", "ascending", "at_start"), (POSITION, "ascending")]
        keys, kept = keys.take(pc.sort_indices(keys, order)), "last"
    groups = keys.group_by("key", use_threads=kept == "max").aggregate([(POSITION, kept)])
    last = groups[f"{POSITION}_{kept}"]
    if len(last) == len(keys):
        return {}
    earlier = keys.filter(pc.invert(pc.is_in(keys[POSITION], value_set=last.combine_chunks())))
    earlier = earlier.set_column(2, "partition", earlier["partition"].cast(pa.string()))
    found = earlier.group_by("partition").aggregate([(POSITION, "list")]).to_pylist()
    of_text = plan.partitioning.of_text
    return {of_text(row["partition"]): np.array(row[f"{POSITION}_list"]) for row in found}


def split_bucket(
    context: TaskContext,
    plan: Plan,
    segments: Sequence[Segment],
    name: str,
    slots: Mapping[Partition, range],
    number: int,
) -> ShuffleFile:
    """Scatter segments of a large bucket into `number` slots; `slots` has those of a partition."""
    rows = gather(context.scratch, segments, plan.table.clean_schema)
    texts = plan.partitions_of(rows)
    known = [slots[plan.partitioning.of_text(text)] for text in texts.dictionary.to_pylist()]
    first = np.array([span.start for span in known])[texts.indices.to_numpy()]
    files = np.array([len(span) for span in known])[texts.indices.to_numpy()]
    slot = first + _file(texts_of(rows, plan.table.keys), files)
    return scatter(context.scratch, name, rows, slot, number)


def write_partitions(
    context: TaskContext,
    plan: Plan,
    work: Work,
    name: str,
    without: npt.NDArray[np.int64],
    before: Collection[StoredObject] | None,
) -> Written:
    """Store a bucket's rows, as Parquet files of one partition each, sorted by key.

    A file that the previous version has too, and that is whole, is kept. `name` is that of the
    shuffle file of new rows, `without` has the positions of superseded rows, and `before` the
    previous version's objects of these partitions; it is None for the first version.
    """
    # Arrow sorts one chunk much faster than many.
    rows = gather(context.scratch, work.segments, plan.table.clean_schema).combine_chunks()
    if len(without):
        rows = rows.filter(pc.invert(pc.is_in(rows[POSITION], value_set=pa.array(without))))

    # Each file is made here, while threads store earlier ones.
    made = starmap(partial(_made, plan), _files(plan.table, rows, work.files))
    known = None if before is None else {content_of(entry): entry for entry in before}
    store = partial(_store, context.lake, known)
    done = list(in_threads(context.lake.store.connections, store, made))
    new = [rows for *_, rows in done if rows is not None]
    differing = pa.concat_tables([plan.table.located_schema.empty_table(), *new])
    by_key = buckets_of(texts_of(differing, plan.table.keys), plan.key_buckets)
    return Written(
        objects=tuple(entry for entry, *_ in done),
        stored={entry.key: md5 for entry, md5, _ in done if md5},
        profile=drift.profile_of(plan.table, rows),
        new=scatter(context.scratch, name, differing, by_key, plan.key_buckets),
    )


def _made(plan: Plan, partition: Partition, rows: pa.Table) -> File:
    """The file of some rows of a partition, named by the hash of its content and its writer."""
    stored = rows.select(plan.table.schema.names)
    content = parquet.encode(declared(stored, plan.table.located))
    digest = hashlib.sha256(content).hexdigest()
    key = f"{plan.folder(partition)}/{digest[:32]}-{plan.writer}.parquet"
    entry = StoredObject(key=key, rows=len(rows), bytes=len(content), sha256=digest)
    return entry, content, rows


def _store(
    lake: Lake, known: Mapping[tuple[str, str], StoredObject] | None, file: File
) -> tuple[StoredObject, str, pa.Table | None]:
    """Store a file, unless it is there; its object, its MD5 if stored, its rows if they are new."""
    entry, content, rows = file
    before = known.get(content_of(entry)) if known else None
    if before and lake.problem("silver", before) is None:
        return before, "", None
    lake.store.put("silver", entry.key, content, parquet.CONTENT_TYPE)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return entry, md5, None if known is None or before else rows


def _file(keys: pa.ChunkedArray, files: int | Buckets) -> Buckets:
    """Each row's file in its partition, by the CRC-32 of its key: the same in every release."""
    texts = keys.cast(pa.binary()).to_pylist()
    return np.fromiter(map(zlib.crc32, texts), np.int64, len(texts)) & (files - 1)


def _files(
    table: Table, rows: pa.Table, files: Mapping[Partition, int]
) -> Iterator[tuple[Partition, pa.Table]]:
    """The rows of each file with their partition, sorted by key."""
    by_partition = [(name, "ascending") for name in table.partitions]
    ordered = rows.sort_by([*by_partition, *((name, "ascending") for name in table.keys)])
    # Arrow returns groups in no fixed order, not even in the order of the input.
    groups = ordered.group_by(list(table.partitions)).aggregate([([], "count_all")])
    start = 0
    for group in groups.sort_by(by_partition).to_pylist():
        partition = tuple(group[name] for name in table.partitions)
        count = group["count_all"]
        within = ordered.slice(start, count).select(table.located_schema.names)
        start += count
        if files[partition] == 1:
            yield partition, within
            continue
        numbers = _file(texts_of(within, table.keys), files[partition])
        for number in np.unique(numbers):
            yield partition, within.filter(pa.array(numbers == number))
