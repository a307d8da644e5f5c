"""Which changes of the data are noted, by which rule, in which words."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.layers.cleaning import Cleaner
from data.medallion.layers.drift import (
    Changes,
    Profile,
    Seen,
    compare,
    fields_of,
    joined,
    profile_of,
    seen_in_all,
    whole,
)
from data.medallion.rules import RULES, STOPPING
from data.medallion.table import Column, unchanged
from tests.cleaning import clean
from tests.stations import RECORD, TABLE

COUNTS = {"country": {"Ireland": 70, "Ukraine": 1}, "kind": {"sea": 900, "air": 100}}
BEFORE = Profile(
    rows=1000,
    fields={"number": ("number",), "phone": ("string",), "height": ("number",), "note": ()},
    values={"number": 1000, "phone": 800, "height": 700, "owner": 9},
    counts=COUNTS,
)


def drifts(largest_fall=10, before=BEFORE, **changed):
    after = BEFORE.model_copy(update=changed)
    found = compare(TABLE, before, after, largest_fall)
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
            {"counts": {**COUNTS, "country": {"Ireland": 70, "Chad": 2}}},
            [
                ("value_gone", "Ukraine", "the country Ukraine had 1 rows and has none"),
                ("new_value", "Chad", "the country Chad is new, with 2 rows"),
            ],
        ),
        (
            {"values": {**BEFORE.values, "phone": 0}},
            [("column_gone", "phone", "phone had 800 values and has none")],
        ),
        ({"values": {**BEFORE.values, "phone": 1}}, []),
        ({"values": {**BEFORE.values, "owner": 0}}, []),
        ({"fields": fields(phone=None)}, []),
        ({"fields": fields(note=None)}, []),
        (
            {"fields": fields(depth=("number", "string"))},
            [("new_field", "depth", "the field depth is new (number and string)")],
        ),
        (
            {"fields": fields(height=("string",))},
            [("type_changed", "height", "height was number, and is string")],
        ),
        (
            {"fields": fields(phone=("object", "string"))},
            [("type_changed", "phone", "phone was string, and is object and string")],
        ),
        ({"fields": fields(phone=())}, []),
        ({"fields": fields(note=("string",))}, []),
        (
            {"counts": {**COUNTS, "kind": {"sea": 900, "lunar": 3}}},
            [("unknown_value", "lunar", "3 rows have the unknown kind 'lunar'")],
        ),
    ],
)
def test_each_rule(changed, expected):
    assert drifts(**changed) == expected


@pytest.mark.parametrize(
    ("changes", "rejected", "duplicate", "expected"),
    [
        ({"removed": 100, "added": 100}, 0, 0, []),
        ({"removed": 101, "added": 0}, 0, 0, []),
        ({"removed": 0, "added": 900}, 0, 0, []),
        (
            {"removed": 987, "added": 1_237},
            0,
            0,
            [("ids_replaced", "id", "987 of 1,000 ids are gone, and 1,237 have come")],
        ),
        ({"moved": 100, "retyped": 100}, 5, 5, []),
        ({}, -900, -900, []),
        (
            {"moved": 101, "retyped": 200},
            142,
            6,
            [
                ("rows_moved", "rows", "101 of 1,000 rows moved to another partition"),
                ("rows_retyped", "rows", "200 of 1,000 rows have another of the known values"),
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
def test_rows_that_are_not_what_they_were(changes, rejected, duplicate, expected):
    more = (Changes(**changes), rejected, duplicate)
    found = compare(TABLE, BEFORE, BEFORE, 10, *more)
    assert [(drift.rule, drift.subject, drift.what) for drift in found] == expected
    assert not {rule for rule, *_ in expected} & STOPPING
    assert compare(TABLE, None, BEFORE, 10, *more) == ()


COUNTED = BEFORE.model_copy(update={"unreadable": {"phone": 7}})
NONE_OF_PHONE = {**BEFORE.values, "phone": 0}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"unreadable": {}}, None),
        (None, {"unreadable": {"phone": 800}}, None),
        (None, {"values": NONE_OF_PHONE}, None),
        (None, {"values": NONE_OF_PHONE, "unreadable": {"height": 5}}, None),
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
    ],
)
def test_values_that_cannot_be_read(before, after, expected):
    found = compare(TABLE, before, BEFORE.model_copy(update=after), 10)
    told = [drift.what for drift in found if drift.rule == "column_unreadable"]
    assert told == ([expected] if expected else [])


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
    found = drifts(before=None, counts={"kind": {"lunar": 1}})
    assert [rule for rule, *_ in found] == ["unknown_value"]


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


# A column that is declared otherwise than its field is


def first_version(table, *records):
    """The profile of some records, as silver's first version has it."""
    rows, _, seen = clean(Cleaner(table, unchanged), [json.dumps(r).encode() for r in records])
    return whole([profile_of(table, rows)], seen)


@pytest.mark.parametrize("values", [(True, False), ({"n": 1}, []), (True, None)])
def test_what_a_column_of_text_cannot_hold_is_told_the_first_time(values):
    records = [{**RECORD, "number": n, "phone": v} for n, v in enumerate(values)]
    profile = first_version(TABLE, *records)
    unreadable = sum(value is not None for value in values)
    assert profile.unreadable == {"phone": unreadable}
    (found,) = compare(TABLE, None, profile, 10)
    assert (found.rule, found.subject) == ("column_unreadable", "phone")
    assert found.what == f"phone has {unreadable} values that cannot be read, and none that can"


@pytest.mark.parametrize("kind", ["int64", "float64", "bool", "timestamp"])
def test_what_a_column_of_another_type_cannot_hold_is_told_the_first_time(kind):
    table = replace(TABLE, columns=(*TABLE.columns, Column("state", kind)))
    profile = first_version(table, {**RECORD, "state": "good"})
    assert profile.unreadable == {"state": 1}
    assert profile.values["state"] == 0
    assert [found.rule for found in compare(table, None, profile, 10)] == ["column_unreadable"]


def test_what_has_a_value_now_and_then_is_not_told_the_first_time():
    records = [{**RECORD, "number": n, "open": value} for n, value in enumerate((True, "maybe"))]
    profile = first_version(TABLE, *records)
    assert profile.unreadable == {"open": 1}
    assert compare(TABLE, None, profile, 10) == ()


def test_a_column_declared_as_a_bool_that_was_a_text_is_told():
    before = first_version(TABLE, RECORD)
    text = replace(
        TABLE,
        columns=tuple(replace(c, type="text") if c.name == "open" else c for c in TABLE.columns),
    )
    after = first_version(text, RECORD)
    assert [(found.rule, found.subject) for found in compare(text, before, after, 10)] == [
        ("column_gone", "open"),
        ("column_unreadable", "open"),
    ]


# Counted columns


def test_known_and_steady_columns_are_counted_and_no_others():
    profile = first_version(TABLE, RECORD, {**RECORD, "number": 8, "kind": None})
    assert profile.counts == {"kind": {"sea": 1}, "country": {"Norway": 2}}
    assert profile.values["kind"] == 1
    assert "country" not in profile.values


@pytest.mark.parametrize("kind", ["int64", "bool"])
def test_a_steady_column_may_be_a_number_or_a_bool(kind):
    table = replace(TABLE, columns=(*TABLE.columns, Column("zone", kind, steady=True)))
    before = first_version(table, {**RECORD, "zone": {"int64": 1, "bool": True}[kind]})
    after = first_version(table, {**RECORD, "zone": {"int64": 2, "bool": False}[kind]})
    was, now = {"int64": ("1", "2"), "bool": ("true", "false")}[kind]
    assert [(found.rule, found.subject) for found in compare(table, before, after, 10)] == [
        ("value_gone", was),
        ("new_value", now),
    ]


def test_a_column_that_was_not_counted_before_says_nothing_of_its_values():
    before = BEFORE.model_copy(update={"counts": {"kind": COUNTS["kind"]}})
    assert compare(TABLE, before, BEFORE, 10) == ()


def test_the_profiles_of_parts_add_up():
    one = Profile(rows=1, fields={}, values={"a": 1}, counts={"kind": {"sea": 1}})
    counts = {"kind": {"sea": 1, "air": 1}}
    other = Profile(rows=2, fields={}, values={"a": 1, "b": 2}, counts=counts)
    found = whole([one, other], Seen({"a": ("string",)}, Counter(b=1)))
    assert (found.rows, found.values) == (3, {"a": 2, "b": 2})
    assert (found.counts, found.unreadable) == ({"kind": {"air": 1, "sea": 2}}, {"b": 1})
