"""The rules that are only the breweries'."""

import json

import pytest

from data.breweries.flow import FLOW
from data.medallion.layers.silver.cleaner import Cleaner
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


def test_records_from_before_the_new_names_are_cleaned():
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
def test_degrees_outside_of_the_globe_are_null(column, received, kept):
    assert cell(column, received) == kept
