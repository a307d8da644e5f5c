"""The arguments of the list and of `/meta`, and the server's messages about invalid ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_PER_PAGE = 50
_PER_PAGE_MOST = 200

_SORTABLE = {
    "id": "id",
    "name": "name",
    "brewery_type": "brewery_type",
    "type": "brewery_type",
    "city": "city",
    "state_province": "state_province",
    "postal_code": "postal_code",
    "country": "country",
}
_FILTERS = (
    "by_city",
    "by_country",
    "by_dist",
    "by_ids",
    "by_name",
    "by_postal",
    "by_state",
    "by_type",
    "exclude_types",
)
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")

Sort = tuple[tuple[str, bool], ...]
"""The fields to sort by, the most important first, and whether each is descending."""


@dataclass(frozen=True)
class Query:
    """A valid query of the list or of meta."""

    page: int
    per_page: int
    sort: Sort

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Query:
        """Parse arguments without `problems`."""
        return cls(
            page=int(arguments.get("page", 1)),
            per_page=int(arguments.get("per_page", _PER_PAGE)),
            sort=_sort(arguments["sort"]) if "sort" in arguments else (),
        )


def problems(arguments: Mapping[str, str]) -> dict[str, list[str]]:
    """The problems of the arguments, by field, in Laravel's words."""
    found = {
        name: check(name, arguments[name]) if arguments[name] else [f"{_field(name)} is required."]
        for name, check in _CHECKS.items()
        if name in arguments
    }
    return {name: texts for name, texts in found.items() if texts}


def _field(name: str) -> str:
    return f"The {name.replace('_', ' ')} field"


def _integer_problems(name: str, value: str, most: int | None) -> list[str]:
    """The problems of an integer that must be from 1 up to `most`, if there is a limit."""
    if not _INTEGER.fullmatch(value):
        return [f"{_field(name)} must be an integer."]
    if int(value) < 1:
        return [f"{_field(name)} must be at least 1."]
    if most is not None and int(value) > most:
        return [f"{_field(name)} must not be greater than {most}."]
    return []


def _filter_problems(name: str, value: str) -> list[str]:
    return [f"{_field(name)} is not supported by this local server."]


def _sort_problems(name: str, value: str) -> list[str]:
    for part in value.split(","):
        field, *direction = (text.strip() for text in part.split(":"))
        if field not in _SORTABLE or len(direction) > 1:
            fields = ", ".join(_SORTABLE)
            return [f"The {name} contains an invalid sort field. Valid fields are: {fields}."]
        if direction and direction[0].lower() not in ("asc", "desc"):
            return [f"The {name} direction must be asc or desc."]
    return []


_CHECKS: dict[str, Callable[[str, str], list[str]]] = {
    "per_page": lambda name, value: _integer_problems(name, value, _PER_PAGE_MOST),
    "page": lambda name, value: _integer_problems(name, value, None),
    "sort": _sort_problems,
    **dict.fromkeys(_FILTERS, _filter_problems),
}


def _sort(value: str) -> Sort:
    parts = (part.partition(":") for part in value.split(","))
    return tuple(
        (_SORTABLE[field.strip()], direction.strip().lower() == "desc")
        for field, _, direction in parts
    )
