"""Bronze's object in ranges, each of which one task reads and checks by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from ..lake.errors import ObjectDiffers
from ..lake.manifest import PART_BYTES, Parts, StoredObject
from ..lake.records import Lines, lines_within
from ..work.shuffle import Place

AT_ONCE = 4 << 20
"""Bytes of records that are read at a time: the system gives and takes larger pieces anew."""

PIECE_OF_A_LINE = 64 << 10  # bytes, by which the end of a range's last line is looked for


@dataclass(frozen=True)
class Range:
    """A part of bronze's object: the lines that begin from `start` up to `end`, in bytes."""

    key: str
    etag: str
    size: int
    start: int
    end: int
    sha256: str | None
    """Of its bytes; None where the manifest tells that of the whole object alone."""


def ranges(key: str, etag: str, size: int, parts: Parts | None) -> list[Range]:
    """An object of so many bytes, in the parts of its manifest, or such as they would be."""
    hashed = parts or Parts(size=PART_BYTES, sha256=())
    starts = range(0, max(size, 1), hashed.size)
    digests = zip_longest(starts, hashed.sha256[: len(starts)])
    return [
        Range(key, etag, size, start, min(start + hashed.size, size), digest)
        for start, digest in digests
    ]


def check_object(place: Place, entry: StoredObject) -> None:
    """Read bronze's object for its hash alone.

    Raises:
        ObjectMissing, ObjectDiffers: it is not what the manifest says.
    """
    for _ in place.lake.chunks("bronze", entry):
        pass


def lines_of(place: Place, span: Range) -> Iterator[Lines]:
    """The records of a range, some at a time.

    Raises:
        ObjectMissing: the object was replaced.
        ObjectDiffers: the range is not what the manifest says.
    """
    return lines_within(_content(place, span), span.start, span.end, AT_ONCE)


def _content(place: Place, span: Range) -> Iterator[bytes]:
    """The object from the byte before a range on, for as long as somebody reads."""
    digest, before, held = hashlib.sha256(), min(span.start, 1), b""
    start = span.start - before
    for chunk in place.lake.store.stream("bronze", span.key, start, span.end, span.etag):
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
        yield from place.lake.store.stream("bronze", span.key, start, end, span.etag)
