"""Shuffle: rows that belong together are brought together through pieces kept in a scratch.

A task writes what it made as one piece, ordered by bucket; another task reads its bucket of every
piece. So nobody holds a whole layer, and it does not matter on which machine a task runs.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..lake.versions import Lake

TASK_BYTES = 48 << 20
"""Arrow bytes that one task holds at a time, about: what bounds a run's memory."""

T = TypeVar("T")
Part = tuple[str, int, int]
"""A part of what a scratch keeps: its name, and from which byte up to which."""

Buckets = npt.NDArray[np.int64]
"""The bucket of each row, from 0."""


class Scratch(Protocol):
    """Where the pieces of one run are kept until it ends."""

    def write(self, name: str, content: memoryview) -> None:
        """Keep some content; written again, it replaces what was kept."""

    def read(self, parts: Sequence[Part]) -> list[bytes]:
        """Parts of what is kept."""


@dataclass(frozen=True)
class Folder:
    """A scratch on this machine's disk."""

    path: Path

    def write(self, name: str, content: memoryview) -> None:  # noqa: D102 - as Scratch says
        (self.path / name).write_bytes(content)

    def read(self, parts: Sequence[Part]) -> list[bytes]:  # noqa: D102
        return [self._part(*part) for part in parts]

    def _part(self, name: str, start: int, end: int) -> bytes:
        with (self.path / name).open("rb") as file:
            file.seek(start)
            return file.read(end - start)


@dataclass(frozen=True)
class Prefix:
    """A scratch in the store, which every machine can reach."""

    lake: Lake
    prefix: str

    def write(self, name: str, content: memoryview) -> None:  # noqa: D102
        self.lake.store.put("silver", self.prefix + name, bytes(content))

    def read(self, parts: Sequence[Part]) -> list[bytes]:  # noqa: D102
        def part(wanted: Part) -> bytes:
            name, start, end = wanted
            return b"".join(self.lake.store.stream("silver", self.prefix + name, start, end))

        return self.lake.store.each(part, parts)


@dataclass(frozen=True)
class Place:
    """What a task is given where it runs: the lake, and the scratch of its run."""

    lake: Lake
    scratch: Scratch


@dataclass(frozen=True)
class Piece:
    """Rows in a scratch: those of bucket b lie from offset b to offset b + 1, in bytes."""

    name: str
    offsets: tuple[int, ...]

    def part(self, bucket: int) -> Part:
        """Where a bucket lies."""
        return self.name, self.offsets[bucket], self.offsets[bucket + 1]


def buckets_for(size: int, each: int) -> int:
    """How many buckets some work is divided into, so that each holds about so much of it."""
    return max(1, math.ceil(size / each))


def grouped(items: Iterable[T], size: Callable[[T], int], limit: int) -> Iterator[list[T]]:
    """Items in their order, in groups of about a limit, or of one that is larger."""
    group: list[T] = []
    held = 0
    for item in items:
        if group and held + size(item) > limit:
            yield group
            group, held = [], 0
        group.append(item)
        held += size(item)
    if group:
        yield group


def scatter(scratch: Scratch, name: str, table: pa.Table, buckets: Buckets, number: int) -> Piece:
    """Write a table as a piece of a number of buckets; rows keep their order within one."""
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
    return Piece(name, tuple(offsets))


def size(part: Part) -> int:
    """The bytes of a part."""
    _, start, end = part
    return end - start


def parts_of(pieces: Iterable[Piece], bucket: int) -> list[Part]:
    """A bucket of some pieces: all that a task on it has to know of them."""
    return [part for piece in pieces if size(part := piece.part(bucket))]


def gather(scratch: Scratch, parts: Sequence[Part], schema: pa.Schema) -> pa.Table:
    """The rows of some parts, in their order."""
    tables = [pa.ipc.open_stream(content).read_all() for content in scratch.read(parts)]
    return pa.concat_tables([schema.empty_table(), *tables])


def buckets_of(values: pa.ChunkedArray, number: int) -> Buckets:
    """The bucket of each value, of so many."""
    return hashes(values) % number if number > 1 else np.zeros(len(values), np.int64)


def hashes(values: pa.ChunkedArray) -> Buckets:
    """The CRC-32 of each value as text: the same on every machine, in every release."""
    texts = values.cast(pa.string()).cast(pa.binary()).to_pylist()
    return np.fromiter(map(zlib.crc32, texts), np.int64, len(values))
