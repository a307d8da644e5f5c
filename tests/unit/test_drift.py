import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.drift import (
    RULES,
    STOPPING,
    Profile,
    compare,
    fields_of,
    joined,
)
from data.breweries.schema import KNOWN_BREWERY_TYPES

BEFORE = Profile(
    rows=1000,
    fields={"id": ("string",), "phone": ("string",), "latitude": ("number",), "note": ()},
    values={"id": 1000, "phone": 800, "latitude": 700, "address_3": 9},
    countries={"Ireland": 70, "Ukraine": 1},
    brewery_types={"micro": 900, "bar": 100},
)


def drifts(largest_fall=10, before=BEFORE, **changed):
    after = BEFORE.model_copy(update=changed)
    found = compare(before, after, largest_fall)
    return [(drift.rule, drift.subject, drift.what) for drift in found]


def fields(**changed):
    found = {**BEFORE.fields, **changed}
    return {name: kinds for name, kinds in found.items() if kinds is not None}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"rows": 900}, []),
        ({"rows": 5000}, []),
        ({"rows": 899}, [("row_fall", "rows", "1,000 rows fell to 899, by 10.1%")]),
        (
            {"countries": {"Ireland": 70, "Chad": 2}},
            [
                ("country_gone", "Ukraine", "Ukraine had 1 breweries and has none"),
                ("new_country", "Chad", "Chad is new, with 2 breweries"),
            ],
        ),
        (
            {"values": {**BEFORE.values, "phone": 0}},
            [("column_gone", "phone", "phone had 800 values and has none")],
        ),
        ({"values": {**BEFORE.values, "phone": 1}}, []),
        ({"values": {**BEFORE.values, "address_3": 0}}, []),
        ({"fields": fields(phone=None)}, []),
        ({"fields": fields(note=None)}, []),
        (
            {"fields": fields(taps=("number", "string"))},
            [("new_field", "taps", "the field taps is new (number and string)")],
        ),
        (
            {"fields": fields(latitude=("string",))},
            [("type_changed", "latitude", "latitude was number, and is string")],
        ),
        (
            {"fields": fields(phone=("object", "string"))},
            [("type_changed", "phone", "phone was string, and is object and string")],
        ),
        ({"fields": fields(phone=())}, []),
        ({"fields": fields(note=("string",))}, []),
        (
            {"brewery_types": {"micro": 900, "winery": 3}},
            [("unknown_brewery_type", "winery", "3 breweries are of the unknown type 'winery'")],
        ),
    ],
)
def test_each_rule(changed, expected):
    assert drifts(**changed) == expected


def test_the_limit_of_a_fall_is_a_setting():
    assert drifts(largest_fall=50, rows=501) == []
    assert [rule for rule, *_ in drifts(largest_fall=0, rows=999)] == ["row_fall"]


def test_a_first_version_has_nothing_to_differ_from():
    assert drifts(before=None, rows=1) == []
    found = drifts(before=None, brewery_types={"winery": 1})
    assert [rule for rule, *_ in found] == ["unknown_brewery_type"]


def test_the_types_of_json_values():
    records = [
        {"a": 1, "b": None, "c": "x"},
        {"a": 1.5, "b": True, "c": {"x": 1}},
        {"a": "1", "d": [1]},
    ]
    assert fields_of(records) == {
        "a": ("number", "string"),
        "b": ("boolean",),
        "c": ("object", "string"),
        "d": ("array",),
    }


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([]))
records = st.lists(st.dictionaries(st.sampled_from("abcd"), values))


@given(records, st.integers(0, 20))
def test_batches_have_the_fields_of_the_whole(received, cut):
    assert joined([fields_of(received[:cut]), fields_of(received[cut:])]) == fields_of(received)


def test_what_stops_is_a_rule():
    assert set(RULES) >= STOPPING
    assert "micro" in KNOWN_BREWERY_TYPES
