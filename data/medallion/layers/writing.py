"""Divides the cleaned rows into write tasks of bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from ..lake.batches import grouped
from ..lake.manifest import StoredObject
from ..lake.partitions import Partition
from ..work.engine import Engine, Task
from ..work.regrouping import by_key
from ..work.shuffle import TASK_BYTES, Segment, ShuffleFile, segments_of, size
from . import silver_tasks
from .silver_tasks import CleanedRange, Silver, Work, Written, files_for


def write(
    engine: Engine,
    silver: Silver,
    ranges: Sequence[CleanedRange],
    before: Collection[StoredObject] | None,
) -> tuple[list[Written], int]:
    """Store the rows of cleaned ranges; returns what was written, and the number of duplicates.

    `before` has the objects of the previous version; it is None for the first version.
    """
    duplicates = _superseded(engine, silver, ranges)
    rows = Counter[Partition]()
    for cleaned in ranges:
        rows.update(cleaned.by_partition)
    rows.subtract({partition: len(positions) for partition, positions in duplicates.items()})
    before_in: dict[str, list[StoredObject]] = defaultdict(list)
    for entry in before or ():
        before_in[entry.key.rpartition("/")[0]].append(entry)
    none = np.empty(0, np.int64)
    tasks = []
    for number, work in enumerate(_planned(engine, silver, ranges, rows)):
        folders = [silver.folder(partition) for partition in work.files]
        task = partial(
            silver_tasks.write_partitions,
            silver=silver,
            work=work,
            name=f"new-{number:06}",
            without=np.concatenate([none, *(duplicates.get(p, none) for p in work.files)]),
            before=None if before is None else [e for f in folders for e in before_in[f]],
        )
        tasks.append(task)
    written = list(engine.run(tasks, "writing silver"))
    return written, sum(map(len, duplicates.values()))


def _superseded(
    engine: Engine, silver: Silver, ranges: Sequence[CleanedRange]
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of superseded rows, by partition."""
    keys = [cleaned.keys for cleaned in ranges]
    tasks = [
        partial(silver_tasks.superseded, silver=silver, segments=segments)
        for (segments,) in by_key(engine, silver.keys_schema, ("key",), silver.buckets, keys)
    ]
    found: dict[Partition, list[npt.NDArray[np.int64]]] = defaultdict(list)
    for by_partition in engine.run(tasks, "looking for duplicates"):
        for partition, positions in by_partition.items():
            found[partition].append(positions)
    return {partition: np.concatenate(positions) for partition, positions in found.items()}


def _planned(
    engine: Engine, silver: Silver, ranges: Sequence[CleanedRange], rows: Mapping[Partition, int]
) -> list[Work]:
    """Plan the write tasks: one per bucket that a task can hold, several per larger bucket."""
    shuffle_files = [cleaned.rows for cleaned in ranges]
    buckets: dict[int, list[Partition]] = defaultdict(list)
    for partition in sorted(rows):
        buckets[silver_tasks.bucket_of(partition, silver.buckets)].append(partition)
    planned, divisions, tasks = [], [], list[Task[ShuffleFile]]()
    for bucket, within in sorted(buckets.items()):
        segments = segments_of(shuffle_files, bucket)
        files = {partition: files_for(rows[partition]) for partition in within}
        if sum(map(size, segments)) <= TASK_BYTES or sum(files.values()) == 1:
            planned.append(Work(segments, files))
        else:
            some, slots = _division(silver, bucket, segments, {p: rows[p] for p in within})
            divisions.append((len(some), slots))
            tasks += some
    smaller = engine.run(tasks, "dividing large partitions")
    for number, slots in divisions:
        shuffle_files = list(islice(smaller, number))
        planned += [Work(segments_of(shuffle_files, n), in_slot) for n, in_slot in enumerate(slots)]
    return planned


def _division(
    silver: Silver, bucket: int, segments: Sequence[Segment], rows: Mapping[Partition, int]
) -> tuple[list[Task[ShuffleFile]], list[dict[Partition, int]]]:
    """Divide a bucket that is too large for one task into slots of whole files.

    Returns:
        The tasks that scatter it; and per slot, the files of its partitions, as `Work.files`.
    """
    slots: dict[Partition, range] = {}
    within: list[dict[Partition, int]] = [{}]
    held = 0
    for partition, count in rows.items():
        if held and held + count > silver_tasks.ROWS_PER_FILE:
            within.append({})
            held = 0
        files = files_for(count)
        slots[partition] = range(len(within) - 1, len(within) - 1 + files)
        held += count
        within[-1][partition] = files
        within += [{partition: files} for _ in range(files - 1)]
    split = partial(silver_tasks.split_bucket, silver=silver, slots=slots, number=len(within))
    tasks: list[Task[ShuffleFile]] = [
        partial(split, segments=group, name=f"{group[0][0]}-{bucket}")
        for group in grouped(segments, size, TASK_BYTES // 2)
    ]
    return tasks, within
