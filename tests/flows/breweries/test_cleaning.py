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


def test_records_from_before_the_new_names_are_cleaned_and_the_new_ones_win():
    old = {"id": "1", "name": "A", "country": "Land", "state": "Old", "street": "1 Main St"}
    rows, _ = cleaned(old, {**old, "id": "2", "state_province": "New", "address_1": "2 Main St"})
    found = [(row["state"], row["address_1"]) for row in rows]
    assert found == [("Old", "1 Main St"), ("New", "2 Main St")]


@pytest.mark.parametrize(
    ("column", "received", "kept"),
    [
        ("latitude", 90.0, 90.0),
        ("latitude", "-43.52587", -43.52587),
        ("latitude", 90.001, None),
        ("longitude", -180, -180.0),
        ("longitude", 180.5, None),
        ("brewery_type", " Micro", "micro"),
        ("brewery_type", None, None),
    ],
)
def test_degrees_outside_of_the_globe_are_null_and_a_type_is_lower_case(column, received, kept):
    assert cell(column, received) == kept
