"""Cleaning: bronze records to silver rows, and the reasons why some are none. Pure functions."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...breweries.table import (
    CLEAN_SCHEMA,
    COORDINATES,
    KIND,
    LOCATION,
    REQUIRED,
    TEXT_COLUMNS,
    sources,
)
from ..lake import partitions as locations
from ..lake.records import parse
from .drift import Seen, fields_of

TEXTS = (*TEXT_COLUMNS, *LOCATION)
RECEIVED = pa.struct(
    [(name, pa.string()) for name in dict.fromkeys(field for c in TEXTS for field in sources(c))]
)
"""The text fields of a record."""

NO_BREAK_SPACE_MISREAD = "\u00c2\u00a0"  # a no-break space in UTF-8, read as Latin-1
INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"  # soft hyphen, zero-width space, word joiner, BOM
NOT_A_PLAIN_SPACE = r"[\p{Z}\p{Cc}]"
UNTIDY = "^ | $|^$|[^ -~]"  # all that `_tidy` could change, and a little more


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


def clean(texts: Sequence[bytes], start: int = 0) -> tuple[pa.Table, list[Rejected], Seen]:
    """Clean a batch of records.

    Args:
        texts: the records' JSON, as received, in UTF-8.
        start: the place of the first in bronze, from 0.

    Returns:
        A table of `CLEAN_SCHEMA` with the usable rows, the others, and what the records look like.
    """
    records = [_as_object(text) for text in texts]
    received, all_texts = _texts(texts, records)
    columns = _columns(received)
    unreadable = Counter[str]()
    if not all_texts:
        unreadable += _unreadable(records, columns, _is_no_text)
    columns[KIND] = pc.utf8_lower(columns[KIND])
    columns["state"], problems = _located(columns["country"], columns["state"])
    for name, bound in COORDINATES.items():
        values = [[r.get(field) for r in records] for field in sources(name)]
        degrees = [_degrees(found, bound) for found in values]
        columns[name] = pc.coalesce(*degrees)
        if any(d.null_count > v.count(None) for d, v in zip(degrees, values, strict=True)):
            unreadable += _unreadable(records, {name: columns[name]}, _is_told)
    columns["position"] = pa.array(range(start, start + len(texts)), pa.int64())
    table = pa.table({name: columns[name] for name in CLEAN_SCHEMA.names}, CLEAN_SCHEMA)

    strangers = pa.array([record is _NOT_AN_OBJECT for record in records], pa.bool_())
    reasons = _reasons(table, strangers, problems)
    unusable = pc.is_valid(reasons)
    rejected = [
        Rejected(texts[place].decode(), reasons[place].as_py(), start + place)
        for place in pc.indices_nonzero(unusable).to_pylist()
    ]
    return table.filter(pc.invert(unusable)), rejected, Seen(fields_of(records), unreadable)


# A record that is no object is read as this one, and told apart by identity.
_NOT_AN_OBJECT: dict[str, Any] = {}


def _as_object(text: bytes, exact: bool = False) -> dict[str, Any]:
    """A record; exactly, its numbers of more than 64 bits keep the digits that orjson loses."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        exact = True  # JSON all the same: half a surrogate pair, or a deep nesting
    if exact:
        value, _ = parse(text.decode())
    return value if isinstance(value, dict) else _NOT_AN_OBJECT


def _texts(
    texts: Sequence[bytes], records: list[dict[str, Any]]
) -> tuple[dict[str, pa.Array], bool]:
    """The text fields of records as columns, null where missing; whether all were texts."""
    names = [field.name for field in RECEIVED]
    all_texts = True
    try:
        rows = pa.array(records, RECEIVED)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        all_texts = False
        rows = pa.array(list(map(_text_fields, texts, records)), RECEIVED)
    return dict(zip(names, rows.flatten(), strict=True)), all_texts


def _columns(received: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """The tidied text columns, each from the first of its fields that has a value."""
    columns = _tidied({name: received[sources(name)[0]] for name in TEXTS})
    for name in columns:
        for field in sources(name)[1:]:
            # The others are looked at where they can help: they hold the same text as the first.
            if pc.any(pc.and_(pc.is_null(columns[name]), pc.is_valid(received[field]))).as_py():
                (other,) = _tidied({field: received[field]}).values()
                columns[name] = pc.coalesce(columns[name], other)
    return columns


def _unreadable(
    records: list[dict[str, Any]],
    columns: Mapping[str, pa.Array],
    is_unreadable: Callable[[Any], bool],
) -> Counter[str]:
    """For each column, how many records without a value in it have one that it cannot hold."""
    found = Counter[str]()
    for name, column in columns.items():
        for place in pc.indices_nonzero(pc.is_null(column)).to_pylist():
            record = records[place]
            found[name] += any(is_unreadable(record.get(field)) for field in sources(name))
    return +found


def _is_no_text(value: Any) -> bool:
    return isinstance(value, (bool, dict, list))


def _is_told(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _text_fields(text: bytes, record: dict[str, Any]) -> dict[str, str | None]:
    """The text fields of one record, whatever their types."""
    values = {field.name: record.get(field.name) for field in RECEIVED}
    if any(isinstance(value, float) for value in values.values()):
        exact = _as_object(text, exact=True)
        values = {name: exact.get(name) for name in values}
    return {name: _as_text(value) for name, value in values.items()}


def _tidied(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns of one length with their texts tidied; all in one go, as each call has its cost."""
    texts = pa.concat_arrays(columns.values())
    untidy = pc.fill_null(pc.match_substring_regex(texts, UNTIDY), False)
    texts = pc.replace_with_mask(texts, untidy, _tidy(texts.filter(untidy)))
    length = len(texts) // len(columns)
    return {name: texts.slice(n * length, length) for n, name in enumerate(columns)}


def _tidy(texts: pa.Array) -> pa.Array:
    """Text in NFC, without outer space, exotic spaces and invisible characters; else null."""
    texts = pc.replace_substring(texts, NO_BREAK_SPACE_MISREAD, " ")
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, NOT_A_PLAIN_SPACE, " ")
    # Not by Arrow 25.0.1: its utf8_normalize decomposes, whatever form is asked.
    composed = [text and unicodedata.normalize("NFC", text) for text in texts.to_pylist()]
    texts = pc.utf8_trim(pa.array(composed, pa.string()), " ")
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _as_text(value: Any) -> str | None:
    """A scalar as text: a number as JSON writes it, half a surrogate pair as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return None


def _degrees(values: list[Any], bound: float) -> pa.Array:
    """Degrees within ±bound, from numbers or their texts; anything else is null."""
    degrees = pa.array([v if type(v) is float else _number(v) for v in values], pa.float64())
    # Neither infinity nor what is no number passes this.
    return pc.if_else(pc.less_equal(pc.abs(degrees), bound), degrees, None)


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _located(country: pa.Array, state: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The canonical state of each row, and why its location cannot be a partition (else null)."""
    # There are few locations, so each is looked at once. Tidied text holds no NUL.
    places = pc.binary_join_element_wise(country, state, "\0").dictionary_encode()
    aliases = _aliases()
    pairs = [tuple(place.split("\0")) for place in places.dictionary.to_pylist()]
    canonical = [(country, aliases.get((country, state), state)) for country, state in pairs]
    states = pa.array([state for _, state in canonical], pa.string())
    problems = pa.array([locations.problem(*place) for place in canonical], pa.string())
    return pc.coalesce(states.take(places.indices), state), problems.take(places.indices)


@cache
def _aliases() -> dict[tuple[str, str], str]:
    with (
        Path(__file__)
        .parents[2]
        .joinpath("breweries", "location_aliases.csv")
        .open(encoding="utf-8") as file
    ):
        return {
            (row["country"], row["state"]): row["same_as_state"] for row in csv.DictReader(file)
        }


def _reasons(table: pa.Table, strangers: pa.Array, problems: pa.Array) -> pa.Array:
    """For each row the first reason to reject it, or null."""
    missing = [pc.is_null(table[name].combine_chunks()) for name in REQUIRED]
    conditions = pa.StructArray.from_arrays([strangers, *missing], names=["stranger", *REQUIRED])
    reasons = ["not an object", *(f"no {name}" for name in REQUIRED)]
    return pc.case_when(conditions, *reasons, problems)
