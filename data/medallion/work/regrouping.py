"""Regrouping: hash buckets of rows by key, so small that one task can hold each.

Every bucket is a read of every shuffle file, so rows are first scattered into few buckets. A bucket
that is too large for a task is scattered again, by another part of the hash of its keys. So the
number of reads grows only with the number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import numpy as np
import pyarrow as pa

from ..lake.batches import grouped
from ..table import texts_of
from . import shuffle
from .engine import Engine, Task
from .shuffle import TASK_BYTES, Segment, ShuffleFile, TaskContext, segments_of, size

FAN_OUT = 64  # buckets that one scatter makes, at most

Sides = tuple[list[Segment], ...]
"""The segments of one bucket, a list per side. All sides have the same keys in the same bucket."""


def few_buckets(amount: int, each: int) -> int:
    """The number of buckets of the first scatter."""
    return min(shuffle.buckets_for(amount, each), FAN_OUT)


def by_key(
    engine: Engine,
    schema: pa.Schema,
    keys: Sequence[str],
    buckets: int,
    *sides: Sequence[ShuffleFile],
) -> Iterator[Sides]:
    """Yield the segments of each bucket; scatter large buckets again.

    A side is some shuffle files of rows of a schema, in as many buckets, by the hash of its `keys`.
    """
    large: list[tuple[list[list[list[Segment]]], int]] = []
    tasks: list[Task[ShuffleFile]] = []
    again = partial(scatter_again, schema=schema, keys=keys, buckets=buckets)
    for bucket in range(buckets):
        segments = tuple(segments_of(shuffle_files, bucket) for shuffle_files in sides)
        number = few_buckets(sum(size(one) for side in segments for one in side), TASK_BYTES)
        if number == 1:
            yield segments
            continue
        groups = [list(grouped(side, size, TASK_BYTES // 2)) for side in segments]
        large.append((groups, number))
        tasks += [
            partial(again, segments=group, name=f"{group[0][0]}-{bucket}", number=number)
            for side in groups
            for group in side
        ]
    shuffle_files = engine.run(tasks, "dividing large buckets")
    for groups, number in large:
        smaller = [list(islice(shuffle_files, len(side))) for side in groups]
        for bucket in range(number):
            yield tuple(segments_of(side, bucket) for side in smaller)


def scatter_again(
    context: TaskContext,
    schema: pa.Schema,
    keys: Sequence[str],
    segments: Sequence[Segment],
    name: str,
    buckets: int,
    number: int,
) -> ShuffleFile:
    """Scatter the rows of one of `buckets` buckets into `number` smaller ones."""
    rows = shuffle.gather(context.scratch, segments, schema)
    found = shuffle.hashes(texts_of(rows, keys)) // np.uint64(buckets)
    slots = shuffle.slots_of(found, number)
    return shuffle.scatter(context.scratch, name, rows, slots, number)
