"""Divides the cleaned rows into write tasks of bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from ..lake.batches import grouped
from ..lake.manifest import StoredObject
from ..lake.partitions import Partition
from ..work.engine import Engine, Task
from ..work.regrouping import by_key
from ..work.shuffle import TASK_BYTES, Part, Piece, parts_of, size
from . import silver_tasks
from .silver_tasks import CleanedRange, Silver, Written

Rows = Mapping[Partition, int]
"""Partition to its number of rows, or of files."""


@dataclass(frozen=True)
class Work:
    """The work of one write task: the parts of a bucket, and the partitions in it."""

    parts: Sequence[Part]
    partitions: Sequence[Partition]


@dataclass(frozen=True)
class Division:
    """How a large bucket is divided: the tasks that scatter it, and the partitions per slot."""

    tasks: Sequence[Task[Piece]]
    slots: Sequence[Sequence[Partition]]


def write(
    engine: Engine,
    silver: Silver,
    ranges: Sequence[CleanedRange],
    buckets: int,
    writer: str,
    before: Collection[StoredObject] | None,
    key_buckets: int,
) -> tuple[list[Written], int]:
    """Store the rows; returns what was written, and the number of duplicates.

    Args:
        engine: runs the tasks.
        silver: the silver of the flow.
        ranges: the cleaned ranges, scattered into hash buckets.
        buckets: the number of hash buckets.
        writer: the end of the names of new files; no other writer uses it.
        before: the objects of the previous version; None for the first version.
        key_buckets: the number of hash buckets for the new rows.
    """
    duplicates = _superseded(engine, silver, ranges, buckets)
    rows = Counter[Partition]()
    for cleaned in ranges:
        rows.update(cleaned.by_partition)
    rows.subtract({partition: len(positions) for partition, positions in duplicates.items()})
    files = {partition: silver_tasks.files_for(count) for partition, count in rows.items()}
    before_in = _by_folder(before or ())
    none = np.empty(0, np.int64)
    tasks = []
    for number, work in enumerate(_planned(engine, silver, ranges, buckets, rows, files)):
        folders = [silver.folder(partition) for partition in work.partitions]
        task = partial(
            silver_tasks.write_partitions,
            silver=silver,
            parts=work.parts,
            without=np.concatenate([none, *(duplicates.get(p, none) for p in work.partitions)]),
            files={partition: files[partition] for partition in work.partitions},
            name=f"new-{number:06}",
            writer=writer,
            before=None if before is None else [e for f in folders for e in before_in[f]],
            key_buckets=key_buckets,
        )
        tasks.append(task)
    written = list(engine.run(tasks, "writing silver"))
    return written, sum(map(len, duplicates.values()))


def _by_folder(entries: Iterable[StoredObject]) -> Mapping[str, list[StoredObject]]:
    found: dict[str, list[StoredObject]] = defaultdict(list)
    for entry in entries:
        found[entry.key.rpartition("/")[0]].append(entry)
    return found


def _superseded(
    engine: Engine, silver: Silver, ranges: Sequence[CleanedRange], buckets: int
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of superseded rows, by partition."""
    keys = [cleaned.keys for cleaned in ranges]
    tasks = [
        partial(silver_tasks.superseded, silver=silver, parts=parts)
        for (parts,) in by_key(engine, silver.keys_schema, "key", buckets, keys)
    ]
    found: dict[Partition, list[npt.NDArray[np.int64]]] = defaultdict(list)
    for by_partition in engine.run(tasks, "looking for duplicates"):
        for partition, positions in by_partition.items():
            found[partition].append(positions)
    return {partition: np.concatenate(positions) for partition, positions in found.items()}


def _planned(
    engine: Engine,
    silver: Silver,
    ranges: Sequence[CleanedRange],
    buckets: int,
    rows: Rows,
    files: Rows,
) -> list[Work]:
    """Plan the write tasks: one per bucket that a task can hold, several per larger bucket."""
    pieces = [cleaned.rows for cleaned in ranges]
    partitions: dict[int, list[Partition]] = defaultdict(list)
    for partition in sorted(rows):
        partitions[silver_tasks.bucket_of(partition, buckets)].append(partition)
    planned, divisions = [], []
    for bucket, within in sorted(partitions.items()):
        parts = parts_of(pieces, bucket)
        small = sum(map(size, parts)) <= TASK_BYTES
        if small or sum(files[partition] for partition in within) == 1:
            planned.append(Work(parts, within))
        else:
            divisions.append(_division(silver, bucket, parts, {p: rows[p] for p in within}, files))
    tasks = [task for division in divisions for task in division.tasks]
    smaller = engine.run(tasks, "dividing large partitions")
    for division in divisions:
        pieces = list(islice(smaller, len(division.tasks)))
        planned += [
            Work(parts_of(pieces, slot), within) for slot, within in enumerate(division.slots)
        ]
    return planned


def _division(
    silver: Silver, bucket: int, parts: Sequence[Part], rows: Rows, files: Rows
) -> Division:
    """Divide a bucket that is too large for one task into slots of whole files."""
    slots: list[list[Partition]] = [[]]
    first: dict[Partition, int] = {}
    held = 0
    for partition, count in rows.items():
        if held and held + count > silver_tasks.ROWS_PER_FILE:
            slots.append([])
            held = 0
        first[partition] = len(slots) - 1
        held += count
        slots[-1].append(partition)
        slots += [[partition] for _ in range(files[partition] - 1)]
    tasks = [
        partial(
            silver_tasks.split_bucket,
            silver=silver,
            parts=group,
            name=f"{group[0][0]}-{bucket}",
            first_slots=first,
            files={partition: files[partition] for partition in rows},
            slots=len(slots),
        )
        for group in grouped(parts, size, TASK_BYTES // 2)
    ]
    return Division(tasks, slots)
