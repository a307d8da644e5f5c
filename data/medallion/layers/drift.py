"""Drift: what the data look like, and which changes against the version before need a person.

Pure functions. Silver's manifest keeps the profile and the drifts that were let pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ...breweries.table import KIND, KNOWN_BREWERY_TYPES

Rule = Literal[
    "row_fall",
    "country_gone",
    "column_gone",
    "ids_replaced",
    "rows_moved",
    "rows_retyped",
    "rejected_leap",
    "duplicate_leap",
    "column_unreadable",
    "type_changed",
    "new_field",
    "new_country",
    "unknown_brewery_type",
]
RULES: dict[Rule, str] = {
    "row_fall": "silver has fewer rows, by more than BREWERIES_LARGEST_FALL_PERCENT",
    "country_gone": "a country has no brewery any more",
    "column_gone": "a column of silver that had values has none any more that can be read",
    "ids_replaced": (
        "others have come for ids that are gone: more than BREWERIES_LARGEST_FALL_PERCENT of all"
    ),
    "rows_moved": "more than BREWERIES_LARGEST_FALL_PERCENT of the rows are in another location",
    "rows_retyped": "more than BREWERIES_LARGEST_FALL_PERCENT of the rows are of another type",
    "rejected_leap": "records that cannot be used are more, by over 0.5% of the rows",
    "duplicate_leap": "records whose id comes again are more, by over 0.5% of the rows",
    "column_unreadable": (
        "a column has no value but its field has, or values that cannot be read are more, by over "
        "0.5% of the rows"
    ),
    "type_changed": "a field has values of a JSON type that it had not",
    "new_field": "records have a field that none had",
    "new_country": "there is a country that was not",
    "unknown_brewery_type": "there is a brewery type that we do not know",
}
"""Every rule, and when it applies. A rise of the rows is no drift: +15% in a day was real data."""

STOPPING: frozenset[Rule] = frozenset({"row_fall", "country_gone", "column_gone"})
"""Those that stop the run unless BREWERIES_STOP_ON says otherwise; the others are noted."""

RARE = 0.01  # share of the rows; a column with fewer values may well lose them all
LEAP = 0.005  # share of the rows; by fewer, what is wrong with some of them may well rise
JSON_TYPES = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}

Fields = dict[str, tuple[str, ...]]
"""Each field of the records to the JSON types of its values, sorted, `null` left out."""


class Profile(BaseModel):
    """What a version of the data looks like; counts are of silver's rows."""

    model_config = ConfigDict(frozen=True)

    rows: int
    fields: Fields
    values: dict[str, int]
    """Each column to how many rows have a value in it."""
    countries: dict[str, int]
    brewery_types: dict[str, int]
    unreadable: dict[str, int] | None = None
    """Each column to how many records had a value that it cannot hold, if any; rejected records
    count too. None in the manifest of a release that did not count."""


@dataclass(frozen=True)
class Seen:
    """What some records look like, as received."""

    fields: Fields
    unreadable: Counter[str]
    """As in the profile."""


@dataclass(frozen=True)
class Turnover:
    """How the rows differ from those of the version before, one by one."""

    added: int = 0
    removed: int = 0
    moved: int = 0
    retyped: int = 0
    rejected: int = 0
    """How many more there are than there were."""
    duplicate: int = 0
    """Likewise."""


class Drift(BaseModel):
    """One change that a rule names: of what, and in one sentence."""

    model_config = ConfigDict(frozen=True)

    rule: str
    """One of RULES; of a later release, perhaps another."""
    subject: str
    what: str


def whole(parts: Iterable[Profile], seen: Seen) -> Profile:
    """The profiles of several parts of the rows as that of all, with what the records look like."""
    rows, values = 0, Counter[str]()
    countries, brewery_types = Counter[str](), Counter[str]()
    for part in parts:
        rows += part.rows
        values.update(part.values)
        countries.update(part.countries)
        brewery_types.update(part.brewery_types)
    return Profile(
        rows=rows,
        fields=seen.fields,
        values=values,
        countries=dict(sorted(countries.items())),
        brewery_types=dict(sorted(brewery_types.items())),
        unreadable=dict(sorted(seen.unreadable.items())),
    )


def fields_of(records: Iterable[Mapping[str, Any]]) -> Fields:
    """The fields of some records and their types."""
    # Records share few shapes, and a shape is compared much faster than it is taken apart.
    shapes: set[tuple[Any, ...]] = {(*record, *map(type, record.values())) for record in records}
    found: dict[str, set[str]] = {}
    for shape in shapes:
        fields = len(shape) // 2
        for name, kind in zip(shape[:fields], shape[fields:], strict=True):
            types = found.setdefault(name, set())
            if kind in JSON_TYPES:
                types.add(JSON_TYPES[kind])
    return {name: tuple(sorted(types)) for name, types in sorted(found.items())}


def joined(parts: Iterable[Fields]) -> Fields:
    """The fields of several batches as those of one."""
    found: dict[str, set[str]] = {}
    for part in parts:
        for name, types in part.items():
            found.setdefault(name, set()).update(types)
    return {name: tuple(sorted(types)) for name, types in sorted(found.items())}


def seen_in_all(parts: Iterable[Seen]) -> Seen:
    """What several batches look like as what all their records do."""
    fields, unreadable = [], Counter[str]()
    for part in parts:
        fields.append(part.fields)
        unreadable.update(part.unreadable)
    return Seen(joined(fields), unreadable)


def compare(
    before: Profile | None, after: Profile, largest_fall: float, turnover: Turnover | None = None
) -> tuple[Drift, ...]:
    """What drifted between two versions.

    Args:
        before: the profile of the version before; None where there was none.
        after: that of the version to be published.
        largest_fall: percent of the rows before that may be missing.
        turnover: how their rows differ.
    """
    drifts = [*_types_unknown(after), *_unreadable(before, after)]
    if before:
        drifts += [
            *_rows(before, after, largest_fall),
            *_turnover(before, turnover or Turnover(), largest_fall),
            *_countries(before, after),
            *_columns(before, after),
            *_fields(before, after),
        ]
    order: list[str] = list(RULES)
    return tuple(sorted(drifts, key=lambda drift: (order.index(drift.rule), drift.subject)))


def _rows(before: Profile, after: Profile, largest_fall: float) -> Iterator[Drift]:
    fallen = before.rows - after.rows
    if fallen > before.rows * largest_fall / 100:
        what = f"{before.rows:,} rows fell to {after.rows:,}, by {fallen / before.rows:.1%}"
        yield Drift(rule="row_fall", subject="rows", what=what)


def _turnover(before: Profile, turnover: Turnover, largest_fall: float) -> Iterator[Drift]:
    many, leap, had = before.rows * largest_fall / 100, before.rows * LEAP, f"of {before.rows:,}"
    if turnover.removed > many and turnover.added:
        what = f"{turnover.removed:,} {had} ids are gone, and {turnover.added:,} have come"
        yield Drift(rule="ids_replaced", subject="id", what=what)
    if turnover.moved > many:
        what = f"{turnover.moved:,} {had} rows moved to another location"
        yield Drift(rule="rows_moved", subject="rows", what=what)
    if turnover.retyped > many:
        what = f"{turnover.retyped:,} {had} rows are of another type"
        yield Drift(rule="rows_retyped", subject=KIND, what=what)
    if turnover.rejected > leap:
        what = f"{turnover.rejected:,} more records than before cannot be used"
        yield Drift(rule="rejected_leap", subject="rejected", what=what)
    if turnover.duplicate > leap:
        what = f"{turnover.duplicate:,} more records than before have an id that comes again"
        yield Drift(rule="duplicate_leap", subject="duplicate", what=what)


def _unreadable(before: Profile | None, after: Profile) -> Iterator[Drift]:
    counted = before.unreadable if before else None
    for name, count in (after.unreadable or {}).items():
        if after.values.get(name, after.rows) == 0:
            what = f"{name} has {count:,} values that cannot be read, and none that can"
        elif before and counted is not None and count - counted.get(name, 0) > before.rows * LEAP:
            what = (
                f"{name} has {count:,} values that cannot be read, after {counted.get(name, 0):,}"
            )
        else:
            continue
        yield Drift(rule="column_unreadable", subject=name, what=what)


def _countries(before: Profile, after: Profile) -> Iterator[Drift]:
    for country in before.countries.keys() - after.countries.keys():
        what = f"{country} had {before.countries[country]:,} breweries and has none"
        yield Drift(rule="country_gone", subject=country, what=what)
    for country in after.countries.keys() - before.countries.keys():
        what = f"{country} is new, with {after.countries[country]:,} breweries"
        yield Drift(rule="new_country", subject=country, what=what)


def _columns(before: Profile, after: Profile) -> Iterator[Drift]:
    for name, values in before.values.items():
        # A column that silver itself has no more is no change of the data.
        if values > before.rows * RARE and after.values.get(name) == 0:
            what = f"{name} had {values:,} values and has none"
            yield Drift(rule="column_gone", subject=name, what=what)


def _fields(before: Profile, after: Profile) -> Iterator[Drift]:
    for name in after.fields.keys() - before.fields.keys():
        kinds = " and ".join(after.fields[name]) or "null alone"
        yield Drift(rule="new_field", subject=name, what=f"the field {name} is new ({kinds})")
    for name in before.fields.keys() & after.fields.keys():
        was, now = before.fields[name], after.fields[name]
        if was and not set(now) <= set(was):
            what = f"{name} was {' and '.join(was)}, and is {' and '.join(now)}"
            yield Drift(rule="type_changed", subject=name, what=what)


def _types_unknown(after: Profile) -> Iterator[Drift]:
    for kind in after.brewery_types.keys() - KNOWN_BREWERY_TYPES:
        what = f"{after.brewery_types[kind]:,} breweries are of the unknown type {kind!r}"
        yield Drift(rule="unknown_brewery_type", subject=kind, what=what)
