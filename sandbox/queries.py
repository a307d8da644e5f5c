"""What the list and `/meta` can be asked: arguments, and what the server says of wrong ones."""

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
COLUMNS = {  # of a record, by the filter that looks at it
    "by_city": "city",
    "by_country": "country",
    "by_ids": "id",
    "by_name": "name",
    "by_postal": "postal_code",
    "by_state": "state_province",
    "by_type": "brewery_type",
    "exclude_types": "brewery_type",
}
_TYPES = {
    "bar",
    "beergarden",
    "brewpub",
    "cidery",
    "closed",
    "contract",
    "large",
    "location",
    "micro",
    "nano",
    "planning",
    "proprietor",
    "regional",
    "taproom",
    "unknown",
}
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")

Sort = tuple[tuple[str, bool], ...]
"""Fields to sort by, the most important first, and whether each is descending."""

Filters = tuple[tuple[str, str], ...]
"""Names and values of the filters of a request."""


@dataclass(frozen=True)
class Query:
    """A valid question to the list or to meta."""

    page: int
    per_page: int
    sort: Sort
    filters: Filters

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Query:
        """Read arguments in which `problems` finds none."""
        return cls(
            page=int(arguments.get("page", 1)),
            per_page=int(arguments.get("per_page", _PER_PAGE)),
            sort=_sort(arguments["sort"]) if "sort" in arguments else (),
            filters=tuple((name, arguments[name]) for name in COLUMNS if name in arguments),
        )


def problems(arguments: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with the arguments of a list or of meta, as Laravel says it, field by field."""
    found = {
        name: check(name, arguments[name]) if arguments[name] else [f"{_field(name)} is required."]
        for name, check in _CHECKS.items()
        if name in arguments
    }
    return {name: texts for name, texts in found.items() if texts}


def _field(name: str) -> str:
    return f"The {name.replace('_', ' ')} field"


def integer_problems(name: str, value: str, most: int | None) -> list[str]:
    """What is wrong with a whole number from 1 up to a limit, if there is one."""
    if not _INTEGER.fullmatch(value):
        return [f"{_field(name)} must be an integer."]
    if int(value) < 1:
        return [f"{_field(name)} must be at least 1."]
    if most is not None and int(value) > most:
        return [f"{_field(name)} must not be greater than {most}."]
    return []


def _length_problems(name: str, value: str) -> list[str]:
    if len(value) < 3:
        return [f"{_field(name)} must be at least 3 characters."]
    if len(value) > 255:
        return [f"{_field(name)} must not be greater than 255 characters."]
    return []


def _type_problems(name: str, value: str) -> list[str]:
    unknown = (text for text in listed(value) if text not in _TYPES)
    return [f"The {name} contains invalid brewery type: {text}" for text in unknown]


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
    "per_page": lambda name, value: integer_problems(name, value, _PER_PAGE_MOST),
    "page": lambda name, value: integer_problems(name, value, None),
    "sort": _sort_problems,
    "by_city": _length_problems,
    "by_country": _length_problems,
    "by_dist": lambda name, value: [f"{_field(name)} is not supported by this local server."],
    "by_ids": _length_problems,
    "by_name": _length_problems,
    "by_postal": _length_problems,
    "by_state": _length_problems,
    "by_type": _type_problems,
    "exclude_types": _type_problems,
}


def listed(value: str) -> list[str]:
    """The values of a list with commas."""
    return [text.strip() for text in value.split(",")]


def _sort(value: str) -> Sort:
    parts = (part.partition(":") for part in value.split(","))
    return tuple(
        (_SORTABLE[field.strip()], direction.strip().lower() == "desc")
        for field, _, direction in parts
    )
