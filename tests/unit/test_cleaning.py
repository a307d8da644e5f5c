import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.table import CLEAN_SCHEMA, SCHEMA
from data.medallion.layers.cleaning import clean

USABLE = {"id": "1", "name": "A", "country": "Land", "state_province": "State"}


def cleaned(*records, start=0):
    table, rejected, _ = clean([json.dumps(record).encode() for record in records], start)
    assert table.schema == CLEAN_SCHEMA
    return table.to_pylist(), rejected


def cell(column, value):
    ((row,), _) = cleaned({**USABLE, column: value})
    return row[column]


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        ("  Duvel ", "Duvel"),
        ("Duvel\u00a0Moortgat", "Duvel Moortgat"),
        ("Duvel\u00c2\u00a0", "Duvel"),
        ("two  spaces", "two  spaces"),
        ("line\nbreak\ttab", "line break tab"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("soft\u00adhyphen", "softhyphen"),
        ("", None),
        ("\u00a0 \u2003", None),
        (None, None),
        (4915, "4915"),
        (True, None),
        ({"a": 1}, None),
        ("half \ud83c", "half \ufffd"),
        ("👩\u200d🌾", "👩\u200d🌾"),
    ],
)
def test_text(received, kept):
    assert cell("city", received) == kept


@pytest.mark.parametrize(
    ("received", "kept"),
    [
        (36, 36.0),
        (-86.8, -86.8),
        ("-43.52587", -43.52587),
        (" 12.5 ", 12.5),
        (90.0, 90.0),
        (90.001, None),
        ("north", None),
        ("nan", None),
        (1e400, None),
        (True, None),
        ([1], None),
        (None, None),
    ],
)
def test_latitude(received, kept):
    text = json.dumps({**USABLE, "latitude": 0}).replace(": 0}", f": {_json(received)}}}")
    table, *_ = clean([text.encode()])
    assert table["latitude"].to_pylist() == [kept]


def _json(value):
    return "1e400" if value == float("inf") else json.dumps(value)


def test_the_type_is_lower_case():
    assert cell("brewery_type", " Micro") == "micro"


@pytest.mark.parametrize(
    ("country", "state", "canonical"),
    [
        ("United States", "MIssouri", "Missouri"),
        ("United States", " MIssouri\u00a0", "Missouri"),
        ("Belgium", "Vlaanderen", "Flanders"),
        ("Belgium", "Région flamande", "Flanders"),
        ("Belgium", "Flanders", "Flanders"),
        ("Belgium", "Waals Gewest", "Wallonia"),
        ("Netherlands", "Vlaanderen", "Vlaanderen"),
    ],
)
def test_one_place_has_one_name(country, state, canonical):
    ((row,), _) = cleaned({**USABLE, "country": country, "state_province": state})
    assert (row["country"], row["state"]) == (country, canonical)


@pytest.mark.parametrize(
    ("column", "new", "old"),
    [("state", "state_province", "state"), ("address_1",) * 2 + ("street",)],
)
@pytest.mark.parametrize("nothing", [None, "", " \u00a0", {}, True])
def test_a_deprecated_field_stands_in(column, new, old, nothing):
    rows, _ = cleaned(
        {**USABLE, new: nothing, old: " Old "}, {**USABLE, new: "New", old: "Old"}, USABLE
    )
    assert [row[column] for row in rows[:2]] == ["Old", "New"]


def test_an_era_without_the_new_names():
    record = {"id": "1", "name": "A", "country": "Land", "state": "Old", "street": "1 Main St"}
    ((row,), _) = cleaned(record)
    assert (row["state"], row["address_1"]) == ("Old", "1 Main St")


def unreadable(*records):
    *_, seen = clean([json.dumps(record).encode() for record in records])
    return seen.unreadable


@pytest.mark.parametrize("value", ["555", 555, 5.5, None, "", " \u00a0", "\u200b"])
def test_text_that_can_be_read_or_is_none(value):
    assert unreadable({**USABLE, "phone": value}, USABLE) == {}


@pytest.mark.parametrize("value", [True, {}, {"number": "555"}, [], ["555"]])
def test_what_no_column_of_text_can_hold_is_counted(value):
    record = {**USABLE, "phone": value, "id": value, "street": value, "unknown": value}
    assert unreadable(USABLE, record, record) == {"phone": 2, "id": 2, "address_1": 2}


@pytest.mark.parametrize("value", [1, 1.5, "1.5", None, "", " "])
def test_degrees_that_can_be_read_or_are_none(value):
    assert unreadable({**USABLE, "latitude": value}, USABLE) == {}


@pytest.mark.parametrize("value", [91, -90.5, "north", "n/a", True, [1], {"deg": 1}])
def test_what_no_column_of_degrees_can_hold_is_counted(value):
    assert unreadable({**USABLE, "latitude": value, "longitude": 1}, USABLE) == {"latitude": 1}


def test_a_value_in_another_field_of_the_column_is_enough():
    assert unreadable({**USABLE, "address_1": {}, "street": "1 Main St"}) == {}
    assert unreadable({**USABLE, "address_1": {}, "street": " "}) == {"address_1": 1}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("just a text", "not an object"),
        (None, "not an object"),
        ([USABLE], "not an object"),
        ({}, "no id"),
        ({**USABLE, "id": None}, "no id"),
        ({**USABLE, "id": "  "}, "no id"),
        ({**USABLE, "name": ""}, "no name"),
        ({**USABLE, "name": ["x"]}, "no name"),
        ({**USABLE, "country": None}, "no country"),
        ({**USABLE, "state_province": None}, "no state"),
        ({**USABLE, "state_province": "x" * 300}, "state too long for a key"),
        ({**USABLE, "country": "x" * 300}, "country too long for a key"),
    ],
)
def test_what_cannot_be_used_is_told_why_and_where(record, reason):
    rows, (rejected,) = cleaned(USABLE, record, start=40)
    assert len(rows) == 1
    assert json.loads(rejected.to_json()) == {"reason": reason, "position": 41, "record": record}


fields = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(),
    st.lists(st.text(max_size=2), max_size=2),
)
records = (
    st.dictionaries(
        st.sampled_from([*SCHEMA.names, "country", "state_province", "state", "unknown"]), fields
    )
    | fields
)
likely = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "name": st.text(min_size=1),
        "country": st.text(),
        "state_province": st.text(),
    }
)


def finite(value):
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


@given(st.lists(records | likely, max_size=8))
def test_every_record_is_a_row_or_rejected(received):
    rows, rejected = cleaned(*finite(received))
    positions = sorted([row["position"] for row in rows] + [r.position for r in rejected])
    assert positions == list(range(len(received)))
    for row in rows:
        assert all(row[name] for name in ("id", "name", "country", "state"))
        for value in filter(lambda v: isinstance(v, str), row.values()):
            assert value == unicodedata.normalize("NFC", value).strip() != ""


@given(st.lists(likely, max_size=5))
def test_cleaning_twice_is_cleaning_once(received):
    once, _ = cleaned(*received)
    again, rejected = cleaned(*({**row, "state_province": row["state"]} for row in once))
    assert not rejected
    assert [{**row, "position": 0} for row in again] == [{**row, "position": 0} for row in once]
