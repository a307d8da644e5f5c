"""What is wrong with a declaration, and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

Problem = tuple[str, str]
"""What is wrong, and the remedy: both are parts of the sentence of `FlowUnusable`."""

DECLARE = "declare it as a column"


def repeated(names: Iterable[str]) -> dict[str, int]:
    """The names that are there more than once, and how many times."""
    return {name: times for name, times in Counter(names).items() if times > 1}


def misshapen(part: Any) -> Iterator[Problem]:
    """What should be a tuple and is none, in a declaration and its parts: a comma is missing."""
    for field in fields(part):
        value = getattr(part, field.name)
        several = value if isinstance(value, (tuple, list)) else (value,)
        if str(field.type).startswith("tuple") and several is not value and value != field.default:
            one = f'"{value}"' if isinstance(value, str) else f"{type(value).__name__}(...)"
            one = getattr(value, "written", one)
            of = f"{type(part).__name__} {getattr(part, 'name', '')}".rstrip()
            yield f"{field.name}={one} of its {of} is no tuple", f"write ({one},)"
        for inner in filter(is_dataclass, several):
            yield from misshapen(inner)
