"""The lake's JSON format: one array, one record per line, each record as it was received.

Such a file is plain JSON, and can be streamed: a record is a line without its final comma.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ObjectUnreadable

CONTENT_TYPE = "application/json"
NEWLINE = ord("\n")
NO_RECORD = {b"", b"[", b"]"}  # in a line without a record, apart from spaces and commas

_REJECTED = re.compile(rb'\{"reason":("(?:[^"\\]|\\.)*"),"position":(\d+),"record":(.*)\}')
"""A reject as silver's block writes it: the reason as JSON, the position in bronze, and the record
as received."""

Item = tuple[str, Any]
"""A record: its JSON text as received, in one line, and its value."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse(text: str, at: int = 0) -> tuple[Any, int]:
    """The JSON value that begins at `at`, and its end; ValueError if it is none or too deep."""
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError(f"JSON nested too deeply at character {at}") from None


def parse_whole(text: str) -> Any:
    """Parse a text that is one JSON value; ValueError if it is not."""
    value, end = parse(text)
    if end != len(text):
        raise ValueError(f"more than one JSON value at character {end}")
    return value


def array_lines(records: Iterable[str]) -> Iterator[bytes]:
    """Yield the pieces of a file of records; each record is a JSON text of one line."""
    before = "[\n"
    for record in records:
        yield (before + record).encode("utf-8")
        before = ",\n"
    yield b"\n]\n" if before == ",\n" else b"[\n]\n"


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of content that comes in chunks."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


@dataclass(frozen=True)
class Lines:
    """Records of such a file: its content, and where each record starts and ends, in bytes."""

    content: bytes | bytearray
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    """The byte after each record, without the comma."""

    @classmethod
    def of(cls, content: bytes | bytearray) -> Lines:
        """Find the records in some lines."""
        letters = np.frombuffer(content, np.uint8)
        breaks = np.flatnonzero(letters == NEWLINE)
        starts = np.concatenate([[0], breaks + 1])
        ends = np.concatenate([breaks, [len(letters)]])
        some = starts < ends
        starts, ends = starts[some], ends[some]
        trimmed = ends - (letters[ends - 1] == ord(","))
        odd = (letters[starts] != ord("{")) | (letters[trimmed - 1] != ord("}"))
        dropped = np.zeros(len(starts), bool)
        for number in np.flatnonzero(odd):
            line = bytes(content[starts[number] : ends[number]])
            text = line.strip().removesuffix(b",").rstrip()
            dropped[number] = text in NO_RECORD
            starts[number] += len(line) - len(line.lstrip())
            trimmed[number] = starts[number] + len(text)
        return cls(content, starts[~dropped], trimmed[~dropped])

    @classmethod
    def joined(cls, texts: Iterable[bytes]) -> Lines:
        """Join records of one line each."""
        return cls.of(b"\n".join(texts))

    def __len__(self) -> int:
        return len(self.starts)

    def text(self, number: int) -> bytes:
        """The JSON text of a record."""
        return bytes(self.content[self.starts[number] : self.ends[number]])

    @property
    def are_braced(self) -> npt.NDArray[np.bool_]:
        """True for each record that begins with `{` and ends with `}`."""
        letters = np.frombuffer(self.content, np.uint8)
        braced: npt.NDArray[np.bool_] = letters[self.starts] == ord("{")
        braced &= letters[self.ends - 1] == ord("}")
        return braced

    def separated(self) -> npt.NDArray[np.uint8]:
        """A writable copy of the content, with line breaks instead of commas between records."""
        letters = np.frombuffer(self.content, np.uint8).copy()
        letters[self.ends[self.ends < len(letters)]] = NEWLINE
        return letters

    def with_text(self, text: bytes, first: int = 0) -> Iterator[int]:
        """The numbers of the records from `first` on that contain a text."""
        number = first
        while number < len(self) and (at := self.content.find(text, self.starts[number])) >= 0:
            number = int(self.starts.searchsorted(at, side="right")) - 1
            yield number
            number += 1


def lines_within(chunks: Iterable[bytes], start: int, end: int, size: int) -> Iterator[Lines]:
    """Yield the records whose lines begin from byte `start` up to byte `end` of a file.

    Chunks are the file's content from the byte before `start` (or from 0); those after the last
    line are not read. About `size` bytes of lines come at a time.
    """
    at, held, searched, inside = max(start - 1, 0), bytearray(), 0, start == 0
    for chunk in chunks:
        held += chunk
        if not inside and (found := held.find(b"\n", searched) + 1):
            at, held, searched, inside = at + found, held[found:], 0, True
        if at >= end:
            return
        # After this line break, a line begins at `end` or later.
        if inside and (found := held.find(b"\n", max(end - 1 - at, searched))) >= 0:
            yield Lines.of(held[:found])
            return
        if inside and len(held) >= size and (found := held.rfind(b"\n", searched) + 1):
            yield Lines.of(held[:found])
            at, held = at + found, held[found:]
        searched = len(held)
    if inside:
        yield Lines.of(held)


def record_texts(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the JSON text of each record, from the lines of such a file."""
    for line in lines:
        text = line.strip().removesuffix(b",")
        if text not in NO_RECORD:
            yield text


def rejected_records(lines: Iterable[bytes], name: str) -> Iterator[tuple[str, int, bytes]]:
    """Yield each reject's reason, position in bronze and JSON; ObjectUnreadable if it is none."""
    for number, text in enumerate(record_texts(lines)):
        found = _REJECTED.fullmatch(text)
        if not found:
            raise ObjectUnreadable(name, f"line {number + 2} is not a rejected record")
        reason, position, record = found.groups()
        yield json.loads(reason), int(position), record
