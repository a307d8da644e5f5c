"""The rules that are only the breweries'."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.flow import FLOW
from data.medallion.layers.cleaning import Cleaner
from tests.cleaning import clean

USABLE = {"id": "1", "name": "A", "country": "Land", "state_province": "State"}
CLEANER = Cleaner(FLOW.table, FLOW.clean)


def cleaned(*records):
    table, rejected, _ = clean(CLEANER, [json.dumps(record).encode() for record in records])
    return table.to_pylist(), rejected


def cell(column, value):
    ((row,), _) = cleaned({**USABLE, column: value})
    return row[column]


def test_the_type_is_lower_case():
    assert cell("brewery_type", " Micro") == "micro"
    assert cell("brewery_type", None) is None


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


@pytest.mark.parametrize(
    ("column", "received", "kept"),
    [
        ("latitude", 90.0, 90.0),
        ("latitude", "-43.52587", -43.52587),
        ("latitude", 90.001, None),
        ("longitude", -180, -180.0),
        ("longitude", 180.5, None),
    ],
)
def test_degrees(column, received, kept):
    assert cell(column, received) == kept


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "no id"),
        ({**USABLE, "id": "  "}, "no id"),
        ({**USABLE, "name": ""}, "no name"),
        ({**USABLE, "country": None}, "no country"),
        ({**USABLE, "state_province": None}, "no state"),
        ({**USABLE, "state_province": "x" * 300}, "state too long for a key"),
        ({**USABLE, "country": "x" * 300}, "country too long for a key"),
    ],
)
def test_what_cannot_be_used(record, reason):
    rows, (rejected,) = cleaned(USABLE, record)
    assert len(rows) == 1
    assert rejected.reason == reason


likely = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "name": st.text(min_size=1),
        "country": st.text() | st.sampled_from(["Belgium", "United States"]),
        "state_province": st.text() | st.sampled_from(["Vlaanderen", "MIssouri"]),
    },
    optional={"brewery_type": st.text()},
)


@given(st.lists(likely, max_size=5))
def test_cleaning_twice_is_cleaning_once(received):
    once, _ = cleaned(*received)
    again, rejected = cleaned(*({**row, "state_province": row["state"]} for row in once))
    assert not rejected
    assert [{**row, "position": 0} for row in again] == [{**row, "position": 0} for row in once]
