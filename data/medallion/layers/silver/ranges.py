"""Divides bronze's object into ranges; one task reads and checks each range."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from ...lake.errors import ObjectDiffers
from ...lake.manifest import PART_BYTES, PartHashes, StoredObject
from ...lake.records import Lines, lines_within
from ...work.shuffle import TaskContext

# The system allocates and frees larger blocks every time.
AT_ONCE = 8 << 20  # bytes of records to read at a time
PIECE_OF_A_LINE = 64 << 10  # bytes to read at a time to find the end of a range's last line


@dataclass(frozen=True)
class Range:
    """A part of bronze's object: the lines that begin at the bytes from `start` up to `end`."""

    key: str
    size: int
    start: int
    end: int
    sha256: str | None
    """The hash of the range's bytes; None if the manifest has only that of the whole object."""


def ranges(key: str, size: int, parts: PartHashes | None) -> list[Range]:
    """Divide an object of `size` bytes into the manifest's parts, or else by `PART_BYTES`."""
    hashed = parts or PartHashes(size=PART_BYTES, sha256=())
    starts = range(0, max(size, 1), hashed.size)
    digests = zip_longest(starts, hashed.sha256[: len(starts)])
    return [
        Range(key, size, start, min(start + hashed.size, size), digest) for start, digest in digests
    ]


def check_object(context: TaskContext, entry: StoredObject) -> None:
    """Read bronze's object only to check its hash; errors as of `Lake.read`."""
    for _ in context.lake.chunks("bronze", entry):
        pass


def lines_of(context: TaskContext, span: Range) -> Iterator[Lines]:
    """Read the records of a range, in batches of about `AT_ONCE` bytes.

    Raises:
        ObjectMissing: the object is gone.
        ObjectDiffers: the range differs from the manifest.
    """
    return lines_within(_content(context, span), span.start, span.end, AT_ONCE)


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
    if span.sha256 not in {None, digest.hexdigest()}:
        what = f"sha256 of bytes {span.start} to {span.end}"
        raise ObjectDiffers(f"bronze/{span.key}", what, span.sha256, digest.hexdigest())
    yield held
    for start in range(span.end, span.size, PIECE_OF_A_LINE):
        end = min(start + PIECE_OF_A_LINE, span.size)
        yield from context.lake.store.stream("bronze", span.key, start, end)
