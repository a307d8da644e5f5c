"""Invented breweries, with the size, the skew and the dirt of the Open Brewery DB.

No record comes from a data set. Names, towns and streets are made from the word lists in
words.json. Websites end in the reserved top-level domain ``.example``, and North American telephone
numbers are in the range for fiction. Only the geography is real: the (country, state) pairs of
locations.csv, with the number of breweries in each, of about 11,800.

The shares of types and nulls follow the data of 2026-08 (github.com/openbrewerydb/openbrewerydb,
commit 7b65c4f). Dirt that only older versions had is added, so that cleaning has more to do.
`_DIRT` lists all dirt, with how often each kind occurs.
"""

from __future__ import annotations

import csv
import json
import random
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from typing import Any

Record = dict[str, Any]

KEYS = (
    "id",
    "name",
    "brewery_type",
    "address_1",
    "address_2",
    "address_3",
    "city",
    "state_province",
    "postal_code",
    "country",
    "longitude",
    "latitude",
    "phone",
    "website_url",
    "state",
    "street",
)
"""The keys of a record, in the API's order. All keys are always present."""

_NULL_SHARE = {
    "address_1": 0.064,
    "address_2": 0.973,
    "address_3": 0.9967,
    "coordinates": 0.206,
    "phone": 0.112,
    "website_url": 0.113,
}

_HABITS = ("brewery_type", "postal_code", "phone")
_TOWNS_PER_BREWERY = 0.85
_AT_TOWN_CENTRE = 0.2
_DECIMALS = (5, 6, 7, 8, 11, 11)  # at most 14 significant digits, as the server writes
_DIGITS = re.compile("%?#+|%")
_NOT_IN_HOST = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class _Town:
    name: str
    longitude: float
    latitude: float


class _Locale(dict[str, str]):
    """Makes random phrases: `locale[rule]` is a new one each time, for str.format_map.

    A rule is a list of templates, or a dict of templates and their weights. In a template, `{word}`
    is a phrase of the rule `word`, `#` is a digit, and `%` is a digit other than 0.
    """

    def __init__(self, rng: random.Random, rules: dict[str, Any]) -> None:
        super().__init__()
        self._random = rng.random
        self._rules = {rule: _repeated(templates) for rule, templates in rules.items()}

    def __missing__(self, rule: str) -> str:
        if rule[0] in "#%":
            return self._number(rule)
        templates = self._rules[rule]
        text = templates[int(self._random() * len(templates))]
        return text.format_map(self) if "{" in text else text

    def _number(self, digits: str) -> str:
        size: int = 10 ** len(digits)
        least = size // 10 if digits[0] == "%" else 0
        return str(size + least + int(self._random() * (size - least)))[1:]


def generate(count: int = 11_800, seed: int = 2026) -> list[Record]:
    """Return `count` invented breweries; equal arguments give equal records on every machine.

    Each record has the 16 `KEYS` in the API's order. The list is sorted by name, roughly as the
    real data set. With 213 records or more, each of the 213 locations occurs.

    Raises:
        ValueError: `count` is negative.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, not {count}")
    rng = random.Random(seed)
    words = json.loads(_beside("words.json"))
    locales = {name: _Locale(rng, rules) for name, rules in words["locales"].items()}
    habits = {
        name: _Locale(rng, {rule: country[rule] for rule in _HABITS})
        for name, country in words["countries"].items()
    }
    places = list(csv.DictReader(_beside("locations.csv").splitlines()))
    weights = [int(place["weight"]) for place in places]

    records: list[Record] = []
    for place, weight, rows in zip(places, weights, _allot(weights, count), strict=True):
        country = words["countries"][place["country"]]
        locale, habit = locales[country["locale"]], habits[place["country"]]
        towns = _towns(rng, locale, country, weight)
        for _ in range(rows):
            records.append(_brewery(rng, locale, habit, place, _some_town(rng, towns)))
    _repeat_neighbours(rng, records)
    _add_dirt(rng, records)
    for record in records:
        record["state"] = record["state_province"]
        record["street"] = record["address_1"]
    records.sort(key=lambda record: record["name"])
    return records


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _repeated(templates: Sequence[str] | dict[str, int]) -> list[str]:
    """Each template as often as its weight; digits become `{#...}` for str.format_map."""
    weights = templates.values() if isinstance(templates, dict) else repeat(1)
    ready = (_DIGITS.sub(r"{\g<0>}", text) for text in templates)
    return list(chain.from_iterable(map(repeat, ready, weights)))


def _allot(weights: Sequence[int], count: int) -> list[int]:
    """Divide `count` by weight: one for each, heaviest first, then the rest by largest remainder.

    It uses only integers, so that rounding is the same on all machines. A weight of 1 gets at most
    one.
    """
    heaviest_first = sorted(range(len(weights)), key=lambda i: -weights[i])
    shares = [0] * len(weights)
    for i in heaviest_first[:count]:
        shares[i] = 1
    spare = max(0, count - len(weights))
    total = sum(weights) - len(weights)
    for i, weight in enumerate(weights):
        shares[i] += (weight - 1) * spare // total
    largest_remainder_first = sorted(
        range(len(weights)), key=lambda i: -((weights[i] - 1) * spare % total)
    )
    for i in largest_remainder_first[: count - sum(shares)]:
        shares[i] += 1
    return shares


def _towns(
    rng: random.Random, locale: _Locale, country: dict[str, Any], weight: int
) -> list[_Town]:
    west, east = country["longitude"]
    south, north = country["latitude"]
    return [
        _Town(
            locale["city"],
            round(west + (east - west) * rng.random(), 7),
            round(south + (north - south) * rng.random(), 7),
        )
        for _ in range(max(1, round(weight * _TOWNS_PER_BREWERY)))
    ]


def _some_town(rng: random.Random, towns: Sequence[_Town]) -> _Town:
    # The square favours the first towns, so that a few towns have many breweries.
    return towns[int(len(towns) * rng.random() ** 2)]


def _brewery(
    rng: random.Random,
    locale: _Locale,
    habit: _Locale,
    place: dict[str, str],
    town: _Town,
) -> Record:
    name = locale["name"]
    longitude, latitude = _coordinates(rng, town)
    return {
        "id": _uuid(rng),
        "name": name,
        "brewery_type": habit["brewery_type"],
        "address_1": None if _lacks(rng, "address_1") else locale["street"],
        "address_2": None if _lacks(rng, "address_2") else locale["address_2"],
        "address_3": None if _lacks(rng, "address_3") else locale["address_3"],
        "city": town.name,
        "state_province": place["state"],
        "postal_code": habit["postal_code"],
        "country": place["country"],
        "longitude": longitude,
        "latitude": latitude,
        "phone": None if _lacks(rng, "phone") else habit["phone"],
        "website_url": None if _lacks(rng, "website_url") else _website(rng, name),
        "state": None,
        "street": None,
    }


def _lacks(rng: random.Random, field: str) -> bool:
    return rng.random() < _NULL_SHARE[field]


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _coordinates(rng: random.Random, town: _Town) -> tuple[float, float] | tuple[None, None]:
    if _lacks(rng, "coordinates"):
        return None, None
    if rng.random() < _AT_TOWN_CENTRE:
        return town.longitude, town.latitude
    decimals = rng.choice(_DECIMALS)
    return (
        round(town.longitude + rng.random() / 20, decimals),
        round(town.latitude + rng.random() / 20, decimals),
    )


def _website(rng: random.Random, name: str) -> str:
    host = _NOT_IN_HOST.sub("", name.lower())
    if rng.random() > 0.02:
        host = host.encode("ascii", "ignore").decode() or "beer"
    scheme = "https" if rng.random() < 0.14 else "http"
    www = "www." if rng.random() < 0.7 else ""
    return f"{scheme}://{www}{host}.example"


def _repeat_neighbours(rng: random.Random, records: list[Record]) -> None:
    """Make chains and duplicates of neighbours in the same location, in place."""
    for share, fields in ((200, ("name", "city")), (3_900, KEYS[1:])):
        for i in rng.sample(range(len(records)), round(len(records) / share)):
            original, other = records[i - 1], records[i]
            if original["state_province"] == other["state_province"]:
                other.update({field: original[field] for field in fields})


def _spaced(text: str) -> str:
    return f" {text} "


_Change = Callable[[Record], Record]

_DIRT: tuple[tuple[int, str, _Change], ...] = (
    # in the data of 2026-08
    (11_800, "latitude", lambda old: {"latitude": int(old["latitude"])}),
    (5_900, "postal_code", lambda old: {"postal_code": None}),
    (11_800, "latitude", lambda old: {"longitude": -old["longitude"]}),
    (2_000, "name", lambda old: {"name": old["name"].replace(" ", "  ", 1)}),
    (4_000, "name", lambda old: {"name": f"'{old['name']}"}),
    (1_180, "city", lambda old: {"city": old["city"].lower()}),
    (11_800, "address_1", lambda old: {"address_1": old["address_1"].replace(" ", " \xad", 1)}),
    (11_800, "phone", lambda old: {"phone": "+1 555 Ask-Nicely"}),
    (11_800, "phone", lambda old: {"phone": "http://www.callus.example/now"}),
    (900, "website_url", lambda old: {"website_url": "http://brewer@mailbox.example"}),
    (11_800, "website_url", lambda old: {"website_url": old["website_url"].capitalize()}),
    # only in older data
    (11_800, "country", lambda old: {"country": " " + old["country"]}),
    (4_000, "state_province", lambda old: {"state_province": old["state_province"] + " "}),
    (800, "name", lambda old: {"name": _spaced(old["name"])}),
    (1_500, "city", lambda old: {"city": _spaced(old["city"])}),
    (1_500, "address_1", lambda old: {"address_1": old["address_1"] + " "}),
    (2_000, "address_1", lambda old: {"address_1": old["address_1"].replace(" ", "Â\xa0", 1)}),
    (1_180, "latitude", lambda old: {key: str(old[key]) for key in ("longitude", "latitude")}),
)
"""The number of records per dirty one; the field that it must have; the change."""


def _add_dirt(rng: random.Random, records: list[Record]) -> None:
    """Add dirt to some records, in place.

    Only records in the United States get dirt, because each location there has many rows. A record
    gets dirt at most once, so that the kinds do not mix.
    """
    clean = [
        record
        for record in records
        if record["country"] == "United States" and record["state_province"] != "MIssouri"
    ]
    rng.shuffle(clean)
    _swap_coordinates(records, clean)
    for one_in, field, change in _DIRT:
        fits = partial(_has, field)
        for _ in range(round(len(records) / one_in)):
            record = _next(clean, fits)
            record.update(change(record))


def _has(field: str, record: Record) -> bool:
    return record[field] is not None


def _swap_coordinates(records: list[Record], clean: list[Record]) -> None:
    """Swap the coordinates of Italy, and of one in 5,900 records where both can be a latitude."""
    swapped = [record for record in records if record["country"] == "Italy"]
    for _ in range(round(len(records) / 5_900)):
        swapped.append(_next(clean, lambda record: (record["longitude"] or -180) > -90))
    for record in swapped:
        record["longitude"], record["latitude"] = record["latitude"], record["longitude"]


def _next(clean: list[Record], fits: Callable[[Record], bool]) -> Record:
    while not fits(record := clean.pop()):
        pass
    return record
