"""Cleaning: bronze records to silver rows, and the reasons why some are none. Pure functions."""

from __future__ import annotations

import csv
import json
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from . import partitions
from .drift import Fields, fields_of
from .records import parse

TEXT_COLUMNS = (
    "id",
    "name",
    "brewery_type",
    "address_1",
    "address_2",
    "address_3",
    "city",
    "postal_code",
    "phone",
    "website_url",
)
COORDINATES = {"longitude": 180.0, "latitude": 90.0}  # column to its bound, degrees
LOCATION = ("country", "state")

SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in TEXT_COLUMNS]
    + [pa.field(name, pa.float64()) for name in COORDINATES]
)
"""The columns of a silver object; country and state are its partition, so they stand in its key."""

CLEAN_SCHEMA = pa.schema(
    [*SCHEMA, *(pa.field(name, pa.string()) for name in LOCATION), pa.field("position", pa.int64())]
)
"""A cleaned batch: silver's columns, the partition, and where in bronze the record stood."""

RECEIVED = pa.struct([(name, pa.string()) for name in (*TEXT_COLUMNS, *LOCATION, "state_province")])
"""The text fields of a record; `state` is the deprecated name of `state_province`."""

NO_BREAK_SPACE_MISREAD = "\u00c2\u00a0"  # a no-break space in UTF-8, read as Latin-1
INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"  # soft hyphen, zero-width space, word joiner, BOM
NOT_A_PLAIN_SPACE = r"[\p{Z}\p{Cc}]"


@dataclass(frozen=True)
class Rejected:
    """A record that cannot be used: its text as received, why, and its place in bronze from 0."""

    record: str
    reason: str
    position: int

    def to_json(self) -> str:
        """One line: the record stands in it as received."""
        reason = json.dumps(self.reason)
        return f'{{"reason":{reason},"position":{self.position},"record":{self.record}}}'


def clean(texts: Sequence[str], start: int = 0) -> tuple[pa.Table, list[Rejected], Fields]:
    """Clean a batch of records.

    Args:
        texts: the records' JSON, as received.
        start: the place of the first in bronze, from 0.

    Returns:
        A table of `CLEAN_SCHEMA` with the usable rows, the others, and the fields seen.
    """
    records = [_as_object(text) for text in texts]
    columns = {name: _tidy(column) for name, column in _texts(records).items()}
    columns["brewery_type"] = pc.utf8_lower(columns["brewery_type"])
    state = pc.coalesce(columns.pop("state_province"), columns["state"])
    columns["state"] = _canonical_states(columns["country"], state)
    for name, bound in COORDINATES.items():
        columns[name] = pa.array([_degrees(r.get(name), bound) for r in records], pa.float64())
    columns["position"] = pa.array(range(start, start + len(texts)), pa.int64())
    table = pa.table({name: columns[name] for name in CLEAN_SCHEMA.names}, CLEAN_SCHEMA)

    reasons = _reasons(table, [r is _NOT_AN_OBJECT for r in records])
    rejected = [
        Rejected(text, reason, start + place)
        for place, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        if reason is not None
    ]
    usable = table.filter(pa.array([reason is None for reason in reasons], pa.bool_()))
    return usable, rejected, fields_of(records)


def resolve_duplicates(table: pa.Table) -> pa.Table:
    """Keep one row of each id: the one received last, since the data may change under a crawl."""
    last = table.group_by("id").aggregate([("position", "max")])["position_max"]
    if len(last) == len(table):
        return table
    return table.filter(pc.is_in(table["position"], value_set=last.combine_chunks()))


# A record that is no object is read as this one, and told apart by identity.
_NOT_AN_OBJECT: dict[str, Any] = {}


def _as_object(text: str) -> dict[str, Any]:
    value, _ = parse(text)
    return value if isinstance(value, dict) else _NOT_AN_OBJECT


def _texts(records: list[dict[str, Any]]) -> dict[str, pa.Array]:
    """The text fields of records as columns; a field that is missing is null."""
    try:
        rows = pa.array(records, RECEIVED)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        names = [field.name for field in RECEIVED]
        rows = pa.array(
            [{name: _as_text(r.get(name)) for name in names} for r in records], RECEIVED
        )
    return dict(zip((field.name for field in RECEIVED), rows.flatten(), strict=True))


def _tidy(texts: pa.Array) -> pa.Array:
    """Text in NFC, without outer space, exotic spaces and invisible characters; else null."""
    texts = pc.replace_substring(texts, NO_BREAK_SPACE_MISREAD, " ")
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, NOT_A_PLAIN_SPACE, " ")
    texts = pc.utf8_trim(_composed(texts), " ")
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _composed(texts: pa.Array) -> pa.Array:
    """Texts in NFC. Not by Arrow 25.0.1: its utf8_normalize decomposes, whatever form is asked."""
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return texts
    normalized = [text and unicodedata.normalize("NFC", text) for text in texts.to_pylist()]
    return pa.array(normalized, pa.string())


def _as_text(value: Any) -> str | None:
    """A scalar as text: a number as JSON writes it, half a surrogate pair as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return None


def _degrees(value: Any, bound: float) -> float | None:
    """Degrees within ±bound, from a number or its text; anything else is null."""
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        degrees = float(value)
    except (ValueError, OverflowError):
        return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= bound else None


def _canonical_states(country: pa.Array, state: pa.Array) -> pa.Array:
    aliases = _aliases()
    pairs = zip(country.to_pylist(), state.to_pylist(), strict=True)
    return pa.array([aliases.get(pair, pair[1]) for pair in pairs], pa.string())


@cache
def _aliases() -> dict[tuple[str | None, str | None], str]:
    with Path(__file__).with_name("location_aliases.csv").open(encoding="utf-8") as file:
        return {
            (row["country"], row["state"]): row["same_as_state"] for row in csv.DictReader(file)
        }


def _reasons(table: pa.Table, not_objects: list[bool]) -> list[str | None]:
    """For each row the first reason to reject it, or None."""
    required = ("id", "name", *LOCATION)
    columns = [table[name].to_pylist() for name in required]
    problem = cache(partitions.problem)

    def reason(not_object: bool, values: tuple[Any, ...]) -> str | None:
        if not_object:
            return "not an object"
        for name, value in zip(required, values, strict=True):
            if value is None:
                return f"no {name}"
        return problem(values[2], values[3])

    return [
        reason(flag, values)
        for flag, values in zip(not_objects, zip(*columns, strict=True), strict=True)
    ]
