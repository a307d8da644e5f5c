from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.table import KNOWN_BREWERY_TYPES
from data.medallion.layers.drift import (
    RULES,
    STOPPING,
    Profile,
    Seen,
    Turnover,
    compare,
    fields_of,
    joined,
    seen_in_all,
)

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


@pytest.mark.parametrize(
    ("turnover", "expected"),
    [
        ({"removed": 100, "added": 100}, []),
        ({"removed": 101, "added": 0}, []),
        ({"removed": 0, "added": 900}, []),
        (
            {"removed": 987, "added": 1_237},
            [("ids_replaced", "id", "987 of 1,000 ids are gone, and 1,237 have come")],
        ),
        ({"moved": 100, "retyped": 100, "rejected": 5, "duplicate": 5}, []),
        ({"rejected": -900, "duplicate": -900}, []),
        (
            {"moved": 101, "retyped": 200, "rejected": 142, "duplicate": 6},
            [
                ("rows_moved", "rows", "101 of 1,000 rows moved to another location"),
                ("rows_retyped", "brewery_type", "200 of 1,000 rows are of another type"),
                ("rejected_leap", "rejected", "142 more records than before cannot be used"),
                (
                    "duplicate_leap",
                    "duplicate",
                    "6 more records than before have an id that comes again",
                ),
            ],
        ),
    ],
)
def test_rows_that_are_not_what_they_were(turnover, expected):
    found = compare(BEFORE, BEFORE, 10, Turnover(**turnover))
    assert [(drift.rule, drift.subject, drift.what) for drift in found] == expected
    assert not {rule for rule, *_ in expected} & STOPPING
    assert compare(None, BEFORE, 10, Turnover(**turnover)) == ()


COUNTED = BEFORE.model_copy(update={"unreadable": {"phone": 7}})
NONE_OF_PHONE = {**BEFORE.values, "phone": 0}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"unreadable": {}}, None),
        (None, {"unreadable": {"phone": 800}}, None),
        (None, {"values": NONE_OF_PHONE}, None),
        (None, {"values": NONE_OF_PHONE, "unreadable": {"latitude": 5}}, None),
        (
            None,
            {"values": NONE_OF_PHONE, "unreadable": {"phone": 1}},
            "phone has 1 values that cannot be read, and none that can",
        ),
        (COUNTED, {"unreadable": {"phone": 12}}, None),
        (COUNTED, {"unreadable": {}}, None),
        (
            COUNTED,
            {"unreadable": {"phone": 13}},
            "phone has 13 values that cannot be read, after 7",
        ),
        # A release that did not count knows of no leap.
        (BEFORE, {"unreadable": {"phone": 500}}, None),
    ],
)
def test_values_that_cannot_be_read(before, after, expected):
    found = compare(before, BEFORE.model_copy(update=after), 10)
    told = [drift.what for drift in found if drift.rule == "column_unreadable"]
    assert told == ([expected] if expected else [])


def test_a_profile_of_a_release_that_did_not_count_is_read_and_written_as_it_was():
    old = BEFORE.model_dump_json(exclude_none=True)
    assert "unreadable" not in old
    assert Profile.model_validate_json(old) == BEFORE


def test_what_batches_look_like_adds_up():
    one = Seen({"a": ("string",)}, Counter(phone=1))
    other = Seen({"a": ("number",), "b": ()}, Counter(phone=2, id=1))
    whole = Seen({"a": ("number", "string"), "b": ()}, Counter(phone=3, id=1))
    assert seen_in_all([one, other]) == whole


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
