"""Shuffle: brings rows of the same hash bucket together, through shuffle files in a scratch.

A task writes its result as one shuffle file, ordered by bucket. Another task reads one bucket of
every file. So no task holds a whole layer, and a task can run on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..lake.batches import in_threads
from ..lake.lake import Lake

TASK_BYTES = 48 << 20  # Arrow bytes that one task holds, about; it bounds the memory of a run

Segment = tuple[str, int, int]
"""A part of a shuffle file: the file's name, the first byte, and the byte after the last."""

Buckets = npt.NDArray[np.int64]
"""The hash bucket of each row, from 0."""

Hashes = npt.NDArray[np.uint64]

MASKS = np.array([(1 << 8 * n) - 1 for n in range(9)], np.uint64)
"""A number of bytes to the mask of the first ones of a word."""

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, and without a pattern: 2**64 by the golden ratio


@dataclass(frozen=True)
class Folder:
    """A scratch on this machine's disk."""

    path: Path

    def write(self, name: str, content: memoryview) -> None:
        """Store content under a name; replaces earlier content."""
        (self.path / name).write_bytes(content)

    def read(self, segments: Sequence[Segment]) -> list[bytes]:
        """The bytes of each segment."""
        found = []
        for name, start, end in segments:
            with (self.path / name).open("rb") as file:
                file.seek(start)
                found.append(file.read(end - start))
        return found


@dataclass(frozen=True)
class Prefix:
    """A scratch in the store, for all machines."""

    lake: Lake
    prefix: str

    def write(self, name: str, content: memoryview) -> None:  # noqa: D102 - as Folder says
        self.lake.store.put("silver", self.prefix + name, bytes(content))

    def read(self, segments: Sequence[Segment]) -> list[bytes]:  # noqa: D102
        def content(wanted: Segment) -> bytes:
            name, start, end = wanted
            return b"".join(self.lake.store.stream("silver", self.prefix + name, start, end))

        return list(in_threads(self.lake.store.connections, content, segments))


Scratch = Folder | Prefix
"""Stores the shuffle files of one run until it ends."""


@dataclass(frozen=True)
class TaskContext:
    """What a task gets where it runs: the lake, and the scratch of its run."""

    lake: Lake
    scratch: Scratch


@dataclass(frozen=True)
class ShuffleFile:
    """Rows in a scratch. Bucket b is the bytes from `offsets[b]` up to `offsets[b + 1]`."""

    name: str
    offsets: tuple[int, ...]


def buckets_for(size: int, each: int) -> int:
    """The number of buckets, if each holds about `each` of `size`."""
    return max(1, math.ceil(size / each))


def scatter(
    scratch: Scratch, name: str, table: pa.Table, buckets: Buckets, number: int
) -> ShuffleFile:
    """Write a table as a shuffle file of `number` buckets; within each, rows keep their order."""
    order = np.argsort(buckets, kind="stable")
    edges = np.searchsorted(buckets[order], np.arange(number + 1))
    ordered = table if number == 1 else table.take(order)
    sink, offsets = pa.BufferOutputStream(), [0]
    for start, end in pairwise(edges):
        if start < end:
            with pa.ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(ordered.slice(start, end - start))
        offsets.append(sink.tell())
    scratch.write(name, memoryview(sink.getvalue()))
    return ShuffleFile(name, tuple(offsets))


def size(segment: Segment) -> int:
    """The size of a segment in bytes."""
    _, start, end = segment
    return end - start


def segments_of(shuffle_files: Iterable[ShuffleFile], bucket: int) -> list[Segment]:
    """The segments of a bucket in some shuffle files, without empty ones."""
    found = [(one.name, one.offsets[bucket], one.offsets[bucket + 1]) for one in shuffle_files]
    return [segment for segment in found if size(segment)]


def gather(scratch: Scratch, segments: Sequence[Segment], schema: pa.Schema) -> pa.Table:
    """Read the rows of some segments, in order."""
    tables = [pa.ipc.open_stream(content).read_all() for content in scratch.read(segments)]
    return pa.concat_tables([schema.empty_table(), *tables])


def buckets_of(values: pa.Array | pa.ChunkedArray, number: int) -> Buckets:
    """The bucket of each value, out of `number` buckets."""
    if number == 1:
        return np.zeros(len(values), np.int64)
    return slots_of(hashes(values), number)


def slots_of(found: Hashes, number: int) -> Buckets:
    """The bucket of each hash, out of `number` buckets."""
    return (found % np.uint64(number)).astype(np.int64)


def hashes(values: pa.Array | pa.ChunkedArray) -> Hashes:
    """A hash of each value as text. Values that differ rarely share one; equal ones always do."""
    # A chunk costs more than many values. Arrow leaves several only if one would be too large.
    texts = pa.table([values.cast(pa.string())], ["text"]).combine_chunks()["text"]
    return np.concatenate([np.empty(0, np.uint64), *map(_hashes, texts.chunks)])


def _hashes(texts: pa.StringArray) -> Hashes:
    _, offsets, data = texts.buffers()
    edges = np.frombuffer(offsets, np.int32)[texts.offset :][: len(texts) + 1].astype(np.int64)
    letters = np.concatenate([np.frombuffer(data or b"", np.uint8), np.zeros(8, np.uint8)])
    # The word of eight bytes that begins at each byte.
    words: Hashes = np.ndarray(len(letters) - 7, "<u8", letters, strides=(1,))
    at, left, rows = edges[:-1], np.diff(edges), np.arange(len(texts))
    found = left.astype(np.uint64) * MULTIPLIER  # so large that no first byte undoes it
    while len(rows):
        mixed = (found[rows] ^ (words[at] & MASKS[np.minimum(left, 8)])) * MULTIPLIER
        found[rows] = mixed ^ (mixed >> np.uint64(32))
        more = left > 8
        rows, at, left = rows[more], at[more] + 8, left[more] - 8
    return found
