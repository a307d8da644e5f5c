"""The lake's JSON form: one array of records, one record a line, each as it was received.

Such a file is plain JSON to any reader, and streams: a record is a line, less the comma at its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

CONTENT_TYPE = "application/json"

Item = tuple[str, Any]
"""A record: its JSON text as received, on one line, and its value."""


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_SPACE = " \t\n\r"


def split_array(text: str) -> list[Item]:
    """The items of a JSON array, each as its own text and its value.

    The text is the item's as received, escapes and digits included, on one line: JSON allows a
    line break between tokens only, so breaks become spaces without touching a value.

    Raises:
        ValueError: the text is no JSON, or no array.
    """

    def skip(at: int) -> int:
        while at < len(text) and text[at] in _SPACE:
            at += 1
        return at

    items: list[Item] = []
    at = skip(0)
    if text[at : at + 1] != "[":
        raise ValueError("not a JSON array")
    at = skip(at + 1)
    closed = text[at : at + 1] == "]"
    while not closed:
        value, end = parse(text, at)
        items.append((text[at:end].replace("\n", " ").replace("\r", " "), value))
        at = skip(end)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise ValueError(f"cut or malformed JSON at character {at}")
        at = at if closed else skip(at + 1)
    if skip(at + 1) != len(text):
        raise ValueError(f"more than one JSON value at character {at + 1}")
    return items


def parse(text: str, at: int = 0) -> tuple[Any, int]:
    """One JSON value from a place on, and where it ends.

    Raises:
        ValueError: there is no JSON value (too deep a nesting counts as none).
    """
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError(f"JSON nested too deeply at character {at}") from None


def array_lines(records: Iterable[str]) -> Iterator[bytes]:
    """The file's pieces for records given as JSON texts of one line each."""
    before = "[\n"
    for record in records:
        yield (before + record).encode("utf-8")
        before = ",\n"
    yield b"\n]\n" if before == ",\n" else b"[\n]\n"


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of some content given in pieces."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def lines_within(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The lines that begin from an offset of a file up to another, in bytes.

    Args:
        chunks: the file's content from the byte before `start` on (from the first, for 0).
        start: where a line may begin.
        end: where none may any more.
    """
    lines = split_lines(chunks)
    at = start
    if start:
        # What stands before the first line break belongs to a line that began before.
        at += len(next(lines, b""))
    for line in lines:
        if at >= end:
            return
        yield line
        at += len(line) + 1


def record_texts(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON texts of the records, from the lines of such a file."""
    for line in lines:
        text = line.strip().removesuffix(b",")
        if text not in {b"", b"[", b"]"}:
            yield text
