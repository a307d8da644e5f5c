"""Buckets of rows by key, each of which one task can hold, by reads that grow with the rows alone.

Every piece is read once for each of its buckets. So there are few of these, however many rows, and
a bucket that is too large for a task is scattered again, by another part of its keys' hashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

import pyarrow as pa

from .engine import Engine, Task
from .shuffle import (
    TASK_BYTES,
    Part,
    Piece,
    Place,
    buckets_for,
    gather,
    grouped,
    hashes,
    parts_of,
    scatter,
    size,
)

FAN_OUT = 64
"""Buckets that rows are scattered into at a time, at most."""

Sides = tuple[list[Part], ...]
"""The parts of a bucket: of each kind of rows that is brought together, those of the same keys."""


def few_buckets(amount: int, each: int) -> int:
    """How many buckets some work is divided into at first."""
    return min(buckets_for(amount, each), FAN_OUT)


def by_key(
    engine: Engine, schema: pa.Schema, key: str, buckets: int, *sides: Sequence[Piece]
) -> Iterator[Sides]:
    """The parts of each bucket; those of a large one scattered again.

    Args:
        engine: runs the tasks that scatter.
        schema: of the rows.
        key: the column by whose hash they are in buckets.
        buckets: how many there are.
        sides: pieces of rows, each with so many buckets.
    """
    large: list[tuple[list[list[list[Part]]], int]] = []
    tasks: list[Task[Piece]] = []
    for bucket in range(buckets):
        parts = tuple(parts_of(pieces, bucket) for pieces in sides)
        number = few_buckets(sum(size(part) for side in parts for part in side), TASK_BYTES)
        if number == 1:
            yield parts
            continue
        groups = [list(grouped(side, size, TASK_BYTES // 2)) for side in parts]
        large.append((groups, number))
        tasks += [
            partial(
                scatter_again,
                schema=schema,
                key=key,
                parts=group,
                name=f"{group[0][0]}-{bucket}",
                buckets=buckets,
                number=number,
            )
            for side in groups
            for group in side
        ]
    pieces = engine.run(tasks, "dividing large buckets")
    for groups, number in large:
        again = [list(islice(pieces, len(side))) for side in groups]
        for bucket in range(number):
            yield tuple(parts_of(side, bucket) for side in again)


def scatter_again(
    place: Place,
    schema: pa.Schema,
    key: str,
    parts: Sequence[Part],
    name: str,
    buckets: int,
    number: int,
) -> Piece:
    """Scatter rows of one of some buckets into a number of smaller ones."""
    rows = gather(place.scratch, parts, schema)
    return scatter(place.scratch, name, rows, hashes(rows[key]) // buckets % number, number)
