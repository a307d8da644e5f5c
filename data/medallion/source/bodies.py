"""Cuts the records out of a response's body, each as it was received."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..lake.records import Item, parse, parse_whole
from .exchange import Response

EACH = "[*]"


class Body(ABC):
    """A form of a body."""

    @abstractmethod
    def records(self, response: Response) -> list[Item]:
        """The records of a response, in order.

        Raises:
            ValueError: the body does not have this form.
        """


@dataclass(frozen=True)
class Json(Body):
    """One JSON value. The records are the elements of an array, or the values of an object."""

    path: str = ""
    """Where they stand: `results`, `data.items`; "" for the body itself. `hits.hits[*]._source`
    is a field of each element."""
    key: str = ""
    """Set it if the records are the values of an object: each gets its name there as this field."""

    def records(self, response: Response) -> list[Item]:  # noqa: D102 - as Body says
        text = response.text.strip()
        path = self.path if EACH in self.path else self.path + EACH
        cutter = _Cutter(text, self.key)
        end = cutter.walk(0, [step for step in path.replace(EACH, f".{EACH}").split(".") if step])
        if end != len(text):
            raise ValueError(f"more than one JSON value at character {end}")
        return cutter.items


@dataclass(frozen=True)
class JsonLines(Body):
    """One JSON value a line."""

    def records(self, response: Response) -> list[Item]:  # noqa: D102
        items = []
        for number, line in enumerate(response.text.split("\n"), 1):
            if text := line.strip():
                try:
                    items.append((text, parse_whole(text)))
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
        return items


@dataclass(frozen=True)
class Csv(Body):
    """Lines of cells, the first one of names. A record is an object of texts, made here."""

    delimiter: str = ","

    def records(self, response: Response) -> list[Item]:  # noqa: D102
        if response.text.lstrip().startswith("<"):
            raise ValueError("HTML or XML, and no CSV")
        lines = csv.reader(io.StringIO(response.text, newline=""), delimiter=self.delimiter)
        try:
            names = next(lines, [])
            if repeated := [name for name, times in Counter(names).items() if times > 1]:
                raise ValueError(f"two columns are called {repeated[0]!r}")
            items = []
            for cells in filter(None, lines):
                if len(cells) != len(names):
                    problem = f"line {lines.line_num} has {len(cells)} cells, and the first one"
                    raise ValueError(f"{problem} {len(names)}")
                record = dict(zip(names, cells, strict=True))
                items.append((json.dumps(record, ensure_ascii=False), record))
        except csv.Error as error:
            raise ValueError(f"line {lines.line_num} is not CSV: {error}") from None
        return items


class _Cutter:
    """Goes through a JSON text once, and keeps the values that a path leads to."""

    def __init__(self, text: str, key: str) -> None:
        self.items: list[Item] = []
        self._text = text
        self._key = key

    def walk(self, at: int, path: list[str], name: str = "") -> int:
        """Keep what a path leads to from the value at `at`; returns the value's end."""
        if not path:
            return self._take(at, name)
        step, *further = path
        at = _skip(self._text, at)
        if step == EACH and at and self._text.startswith("null", at):
            return at + len("null")  # as some servers say that there are none
        if step == EACH:
            opening = "{" if self._key else "["
            return self._each(at, opening, lambda name, here: self.walk(here, further, name))
        found = []

        def visit(name: str, here: int) -> int:
            if name != step:
                return parse(self._text, here)[1]
            found.append(here)
            return self.walk(here, further)

        end = self._each(at, "{", visit)
        if not found:
            raise ValueError(f"no field {step}, which leads to the records")
        return end

    def _take(self, at: int, name: str) -> int:
        value, end = parse(self._text, at)
        text = self._text[at:end]
        if self._key and isinstance(value, dict) and self._key not in value:
            named = f"{json.dumps(self._key)}:{json.dumps(name, ensure_ascii=False)}"
            text = f"{{{named}{',' if value else ''}{text[1:]}"
            value = {self._key: name, **value}
        self.items.append((text, value))
        return end

    def _each(self, at: int, opening: str, visit: Callable[[str, int], int]) -> int:
        """Visit each value of an array or object; in an object with its name. Returns the end."""
        text, closing = self._text, "]" if opening == "[" else "}"
        if text[at : at + 1] != opening:
            raise ValueError(f"not a JSON {'array' if opening == '[' else 'object'}")
        at, name = _skip(text, at + 1), ""
        closed = text[at : at + 1] == closing
        while not closed:
            if opening == "{":
                name, at = self._name(at)
            at = _skip(text, visit(name, at))
            closed = text[at : at + 1] == closing
            if not closed and text[at : at + 1] != ",":
                raise ValueError(f"cut or malformed JSON at character {at}")
            at = at if closed else _skip(text, at + 1)
        return at + 1

    def _name(self, at: int) -> tuple[str, int]:
        name, at = parse(self._text, at)
        at = _skip(self._text, at)
        if not isinstance(name, str) or self._text[at : at + 1] != ":":
            raise ValueError(f"cut or malformed JSON at character {at}")
        return name, _skip(self._text, at + 1)


def _skip(text: str, at: int) -> int:
    """The next character that is not a space."""
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at
