"""Records to rows, by the declaration of a table."""

import hashlib
import json
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.table import Column, Table, day, month, record_hash, unchanged, year
from tests.cleaning import clean, json_values
from tests.stations import RECORD, TABLE

CLEANER = Cleaner(TABLE, unchanged)


def cleaned(*records, start=0, cleaner=CLEANER):
    table, rejected, _ = clean(cleaner, [json.dumps(record).encode() for record in records], start)
    assert table.schema == cleaner.table.clean_schema
    return table.to_pylist(), rejected


def row_of(record, cleaner=CLEANER):
    ((row,), rejected) = cleaned(record, cleaner=cleaner)
    assert not rejected
    return row


def without(field):
    return {name: value for name, value in RECORD.items() if name != field}


def unreadable(*records, cleaner=CLEANER):
    *_, seen = clean(cleaner, [json.dumps(record).encode() for record in records])
    return seen.unreadable


def test_a_whole_record_is_a_whole_row():
    opened = datetime(1987, 6, 5, 4, 3, 2, tzinfo=timezone.utc)
    made = {"opened_at": opened, "city": "Longyearbyen", "year": 1987, "position": 0}
    assert row_of(RECORD) == {**without("place"), **made}
    assert unreadable(RECORD) == {}


# Values

TYPED = Table(
    columns=(
        Column("key", "int64"),
        Column("part"),
        Column("text"),
        Column("int", "int64"),
        Column("few", "int64", bounds=(0, 9)),
        Column("float", "float64", bounds=(-430, 8849)),
        Column("bool", "bool"),
        Column("when", "timestamp"),
        Column("ms", "timestamp", unit="ms"),
        Column("us", "timestamp", unit="us"),
        Column("point", "float64", decimal="."),
        Column("comma", "float64", decimal=","),
        Column("whole", "int64", decimal="."),
        Column("bit", "bool", false_true=("0", "1")),
        Column("yes", "bool", false_true=("N", "Y")),
    ),
    partitions=("part",),
    key="key",
)
TYPED_CLEANER = Cleaner(TYPED, unchanged)


def held(column, received):
    """What a column holds of a value, and what is counted of it; bytes are JSON as it stands."""
    value = received if isinstance(received, bytes) else json.dumps(received).encode()
    text = b'{"key":1,"part":"p","%s":%s}' % (column.encode(), value)
    table, rejected, seen = clean(TYPED_CLEANER, [text])
    assert not rejected
    return table[column][0].as_py(), seen.unreadable


MOMENT = datetime(2024, 2, 29, 12, 30, 15, tzinfo=timezone.utc)
SECONDS = int(MOMENT.timestamp())


HELD: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        ("  Duvel ", "Duvel"), ("Duvel\u00a0Moortgat", "Duvel Moortgat"),
        ("Duvel\u00c2\u00a0", "Duvel"), ("two  spaces", "two  spaces"),
        ("line\nbreak\ttab", "line break tab"), ("Cafe\u0301", "Caf\u00e9"),
        ("soft\u00adhyphen", "softhyphen"), ("half \ud83c", "half \ufffd"),
        ("👩\u200d🌾", "👩\u200d🌾"), (1.50, "1.5"),
        (b"12345678901234567890123", "12345678901234567890123"),
        (b"12345678901234567890123.10", "1.2345678901234568e+22"),
    ],
    "float": [(36, 36.0), (" -43.52587 ", -43.52587), (8849.0, 8849.0)],
    "int": [(-1 << 63,) * 2, ((1 << 63) - 1,) * 2, (" 12 ", 12), ("12.0", 12), (12.0, 12)],
    "few": [(9, 9)],
    "bool": [(True, True), (" FALSE ", False)],
    "point": [(" -1,234,567 ", -1234567.0), ("1200.5", 1200.5), ("1e3", 1000.0), (1.5, 1.5)],
    "comma": [("1.200,00", 1200.0), ("0,5", 0.5), (1.5, 1.5)],
    "whole": [("9,007,199,254,740,993", 9007199254740993)],
    "bit": [(1, True), (1.0, True), (" 0", False), ("true", True), (False, False)],
    "yes": [("y", True), ("N", False)],
    "when": [
        ("2024-02-29T12:30:15z", MOMENT), (" 2024-02-29 12:30:15 ", MOMENT),
        ("2024-02-29T14:30:15+02:00", MOMENT), (SECONDS, MOMENT),
        ("2024-02-29T12:30:15.123456789Z", MOMENT.replace(microsecond=123_456)),
        ("2024-02-29", MOMENT.replace(hour=0, minute=0, second=0)),
        (SECONDS + 0.5, MOMENT.replace(microsecond=500_000)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
    ],
    "ms": [(SECONDS * 1_000, MOMENT)],
    "us": [(SECONDS * 1_000_000, MOMENT)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "received", "kept"), [(name, *pair) for name, some in HELD.items() for pair in some]
)
def test_a_value_that_a_column_can_hold_is_held(column, received, kept):
    assert held(column, received) == (kept, {})


NO_NUMBERS = [
    "1_0", "1_000", "\uff11\uff12", "\u0663", "1\u0663", "nan", " inf", "-inf", "infinity", "0x1",
    "1e", "1,200", "1.2.3", "1 2", "--1", ".", "1,5", "\u00bd", "1e\u0663", True, [1], {},
]  # fmt: skip
NOT_HELD: dict[str, list[Any]] = {
    "text": [True, {}, {"of": "555"}, [], ["555"]],
    "float": [*NO_NUMBERS, 8849.001, -430.5, "9000", b"1e400", b"1" + b"0" * 400, {"metres": 1}],
    "int": [*NO_NUMBERS, 1 << 63, -(1 << 63) - 1, 1e18, "1.5", "9007199254740993.5", "9" * 5000],
    "few": [-1, 10, (1 << 53) + 1, (1 << 63) - 1],
    "bool": [0, 1, 1.0, "yes", "1", [True], {}],
    "point": ["1.200,00", "12,00", "1,2000", ",200", "1,\u0662\u0660\u0660"],
    "comma": ["1,200.00", "1.5", "1_0"],
    "whole": ["1,200.5"],
    "bit": [2, 0.5, "1.0", "yes", [1]],
    "yes": [1, "1"],
    "when": [
        "soon", "2023-02-29", "29.02.2024", "2024-02-29T25:00:00Z", "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00", 1e15, 1e300, -1e15, 10**400, True, [], {}, "1712010101200",
        "1712010101", "20240229", "2024-W09-4", "2024-02-29X12:30", "2024-02",
        "2024-02-29\u066312:30", "2024-02-29T\u0661\u0662:30", "2024-02-29/2024-03-01",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "received"), [(name, value) for name, some in NOT_HELD.items() for value in some]
)
def test_a_value_that_a_column_cannot_hold_is_null_and_counted(column, received):
    assert held(column, received) == (None, {column: 1})


@pytest.mark.parametrize("column", NOT_HELD)
@pytest.mark.parametrize("nothing", [None, "", " \u00a0 \u2003"])
def test_nothing_is_null_in_a_column_of_any_type(column, nothing):
    assert held(column, nothing) == (None, {})


written = st.text("0123456789.,+-eE_ \u0663\uff11TZ:", max_size=9)
written |= st.datetimes().map(str) | st.integers().map(str)


@given(st.sampled_from(sorted(NOT_HELD)), json_values | written)
def test_any_value_is_held_or_counted(column, value):
    kept, counted = held(column, value)
    # A text may be tidied away as a whole.
    nothing = value is None or (isinstance(value, str) and (column == "text" or not value.strip()))
    assert counted == {} if nothing else (kept is None) == (counted == {column: 1})


# Fields


@pytest.mark.parametrize("nothing", [None, "", " \u00a0", {}, True])
def test_another_field_stands_in_for_one_that_is_empty(nothing):
    instead = {**RECORD, "owner": nothing, "operator": " Old "}
    both = {**RECORD, "owner": "New", "operator": "Old"}
    rows, _ = cleaned(instead, {**without("owner"), "operator": "Old"}, both, RECORD)
    assert [row["owner"] for row in rows] == ["Old", "Old", "New", "Institute"]


def test_a_value_in_another_field_of_the_column_is_enough():
    assert unreadable({**RECORD, "owner": {}, "operator": "Old"}) == {}
    assert unreadable({**RECORD, "owner": {}, "operator": " "}) == {"owner": 1}


def test_a_number_comes_from_the_first_of_its_fields_that_it_can_read():
    columns = (Column("key"), Column("metres", "float64", sources=("m", "size.m")), Column("part"))
    cleaner = Cleaner(Table(columns, partitions=("part",), key="key"), unchanged)
    record = {"key": "1", "part": "p"}
    assert row_of({**record, "m": "?", "size": {"m": 2}}, cleaner)["metres"] == 2
    assert row_of({**record, "m": 1, "size": {"m": 2}}, cleaner)["metres"] == 1
    assert unreadable({**record, "m": "?", "size": {"m": 2}}, cleaner=cleaner) == {}
    assert unreadable({**record, "m": "?", "size": {}}, cleaner=cleaner) == {"metres": 1}


@pytest.mark.parametrize(
    ("record", "city"),
    [
        ({"place": {"city": "Inside"}}, "Inside"),
        ({"place.city": "Flat"}, "Flat"),
        ({"place": {}}, None),
        ({"place": None}, None),
        ({"place": "Town"}, None),
        ({"place": [{"city": "Listed"}]}, None),
        ({}, None),
    ],
)
def test_a_field_of_a_field_is_read_by_its_path(record, city):
    assert row_of({**without("place"), **record})["city"] == city


BY_PATH = Column("part", sources=("tags.0",)), Column("east", "float64", sources=("at.points.1.0",))
AS_JSON = Column("tags", "json"), Column("inner", "json", sources=("at.points",))
LISTED = Table((Column("id"), *BY_PATH, *AS_JSON), partitions=("part",))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b'["a", "\xc3\xa4"]', '["a","\u00e4"]'),
        (b'["a", {"n": 12345678901234567890123, "x": 1.50, "y": null}]',
         '["a",{"n":12345678901234567890123,"x":1.5,"y":null}]'),
        (rb'["a", "half \ud83c"]', '["a","half \ufffd"]'),
        (b'["a", 1e400]', None),
        (b'{"0": "key"}', '{"0":"key"}'),
    ],
)  # fmt: skip
def test_json_is_kept_as_text_and_items_of_arrays_are_read_by_their_numbers(text, kept):
    record = b'{"id":"1","tags":%s,"at":{"points":[[1],["2,5",3],[-7.5]]}}' % text
    texts = [record, record.replace(b'"2,5"', b"2.5")]
    table, rejected, seen = clean(Cleaner(LISTED, unchanged), texts)
    assert not rejected
    found = table.to_pydict()
    assert (found["tags"], found["east"]) == ([kept] * 2, [None, 2.5])
    assert found["part"] == ["key" if kept and "key" in kept else "a"] * 2
    assert found["inner"][1] == "[[1],[2.5,3],[-7.5]]"
    assert seen.unreadable == {"east": 1, **({} if kept else {"tags": 2})}
    assert seen.examples["east"] == "'2,5'"


@given(json_values)
def test_any_value_is_its_json_text(value):
    record = {"id": "1", "tags": ["x"], "at": {"points": value}}
    row = row_of(record, Cleaner(LISTED, unchanged))
    assert json.loads(row["inner"] or "null") == value
    assert (row["inner"] is None) == (value is None)


# Keys


DAILY = Column("station"), Column("day", "int64"), Column("kind")
PAIRS = Table((*DAILY, Column("hash", derive=record_hash)), ("kind",), key=("station", "day"))


def test_each_column_of_a_key_is_required():
    record = {"station": "A", "day": 1, "kind": "x"}
    without = {**record, "day": None}, {**record, "station": " "}
    rows, rejected = cleaned(record, *without, cleaner=Cleaner(PAIRS, unchanged))
    assert [row["station"] for row in rows] == ["A"]
    assert [one.reason for one in rejected] == ["no day", "no station"]


@pytest.mark.parametrize("few", [1, 40])
def test_a_key_is_made_by_cleaning_for_every_record_of_a_page(few):
    texts = [f'{{"station":" A","day":{n}}}' for n in range(few)] + ["7", '{"station":"A"}', "{ }"]
    items = [(text, json.loads(text)) for text in texts]
    named = Cleaner(PAIRS, unchanged).identities(items)
    assert named == [f"A\0{n}" for n in range(few)] + [None] * 3
    hashed = Cleaner(replace(PAIRS, key="hash"), unchanged).identities(items)
    assert hashed == [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    assert Cleaner(replace(PAIRS, key="hash"), unchanged).identities([]) == []


# Partitions


@pytest.mark.parametrize(
    ("opened", "parts"),
    [
        ("2024-02-29T23:30:00-02:00", (2024, 3, 1)),
        ("1969-12-31T23:59:59Z", (1969, 12, 31)),
        (0, (1970, 1, 1)),
    ],
)
def test_a_column_is_derived_from_a_timestamp_in_utc(opened, parts):
    functions = {"year": year, "month": month, "day": day}
    derived = [Column(name, "int64", derive=of("at")) for name, of in functions.items()]
    table = Table((Column("id"), Column("at", "timestamp"), *derived), ("year", "month", "day"))
    row = row_of({"id": "1", "at": opened, "year": 1}, Cleaner(table, unchanged))
    assert (row["year"], row["month"], row["day"]) == parts
    assert (table["year"].fields, table.required) == ((), ("id", "year", "month", "day"))


# Rules of a dataset's own


def test_a_dataset_has_rules_of_its_own_before_what_is_derived():
    def own(columns):
        year = pa.scalar(timedelta(365))
        nobody = pa.nulls(len(columns["name"]), "string")
        later = pc.add(columns["opened_at"], year)
        return {"name": pc.utf8_upper(columns["name"]), "owner": nobody, "opened_at": later}

    row = row_of(RECORD, Cleaner(TABLE, own))
    assert (row["name"], row["owner"], row["year"]) == ("NORTH CAPE", None, 1988)


# What cannot be used


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "not an object"),
        ([RECORD], "not an object"),
        ({}, "no number"),
        ({**RECORD, "number": "seven"}, "no number"),
        ({**RECORD, "name": ""}, "no name"),
        ({**RECORD, "name": ["x"]}, "no name"),
        ({**RECORD, "country": None}, "no country"),
        ({**RECORD, "opened_at": "soon"}, "no year"),
        ({**RECORD, "country": "x" * 300}, "country too long for a key"),
        ({**RECORD, "country": "__HIVE_DEFAULT_PARTITION__"}, "country is the mark for null"),
    ],
)
def test_what_cannot_be_used_is_told_why_and_where(record, reason):
    rows, (rejected,) = cleaned(RECORD, record, start=40)
    assert len(rows) == 1
    assert json.loads(rejected.to_json()) == {"reason": reason, "position": 41, "record": record}


SPACES = "".join(one for one in map(chr, range(1 << 16)) if one.isspace() and one != "\x85")
opened_at = st.datetimes().map(str) | st.integers(-(10**13), 10**13)
numbers = st.integers(-(1 << 63), (1 << 63) - 1)
texts = {"name": st.text(min_size=1), "country": st.text()}
likely = st.fixed_dictionaries(
    {"number": numbers, **texts, "opened_at": opened_at},
    optional={
        "place": st.dictionaries(st.just("city"), json_values),
        "height": json_values | written,
    },
)


@given(st.lists(likely, max_size=5))
@example([{"number": 0, "name": "0", "country": "\x80Ã\xa0", "opened_at": 0}])
def test_cleaning_twice_is_cleaning_once(received):
    once, _ = cleaned(*received)
    for value in (value for row in once for value in row.values() if isinstance(value, str)):
        # Half of a letter that was damaged is left whole: it ends in what Python takes for a space.
        assert value == unicodedata.normalize("NFC", value).strip(SPACES) != ""
    again, rejected = cleaned(
        *(
            {**row, "place": {"city": row["city"]}, "opened_at": row["opened_at"].isoformat()}
            for row in once
        )
    )
    assert not rejected
    assert [{**row, "position": 0} for row in again] == [{**row, "position": 0} for row in once]
