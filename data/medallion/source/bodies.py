"""Cuts the records out of a response's body, each as it was received."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..lake.records import Item, parse, parse_whole
from ..problems import repeated
from .exchange import Response

EACH = "[*]"


class Body(ABC):
    """A form of a body."""

    @abstractmethod
    def records(self, response: Response) -> list[Item]:
        """The records of a response, in order; ValueError if its body does not have this form."""


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
        try:
            value = parse_whole(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON: {error}") from None
        if value is None:
            raise ValueError("null in place of JSON records")
        path = self.path if EACH in self.path else self.path + EACH
        found = [("", (text, value))]
        for step in filter(None, path.replace(EACH, f".{EACH}").split(".")):
            if step == EACH:
                found = [member for _, item in found for member in self._each(*item)]
            else:
                found = [(name, _field(*item, step)) for name, item in found]
        return [self._named(name, *item) for name, item in found]

    def _each(self, text: str, value: Any) -> Iterator[tuple[str, Item]]:
        if value is None:  # as some servers say that there are none
            return iter(())
        if not isinstance(value, dict if self.key else list):
            raise ValueError(f"not a JSON {'object' if self.key else 'array'}")
        return _members(text)

    def _named(self, name: str, text: str, value: Any) -> Item:
        if not self.key or not isinstance(value, dict) or self.key in value:
            return text, value
        named = f"{json.dumps(self.key)}:{json.dumps(name, ensure_ascii=False)}"
        return f"{{{named}{',' if value else ''}{text[1:]}", {self.key: name, **value}


def _field(text: str, value: Any, name: str) -> Item:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if name not in value:
        raise ValueError(f"no field {name}, which leads to the records")
    return dict(_members(text))[name]


def _members(text: str) -> Iterator[tuple[str, Item]]:
    """Yield each value in a well-formed JSON array or object; in an object with its name."""
    name, at = "", _skip(text, 1)
    while text[at] not in "]}":
        if text[0] == "{":
            name, at = parse(text, at)
            at = _skip(text, _skip(text, at) + 1)  # past the colon
        value, end = parse(text, at)
        yield name, (text[at:end], value)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    """The next character that is not a space."""
    while text[at] in " \t\n\r":
        at += 1
    return at


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
            if twice := repeated(names):
                raise ValueError(f"two columns are called {min(twice)!r}")
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
