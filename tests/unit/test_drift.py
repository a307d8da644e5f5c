"""Which changes of the data are noted, by which rule, in which words."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.layers.silver.drift import (
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


SEEN = Seen(BEFORE.fields, values=Counter({column.name: 1000 for column in TABLE.columns}))


def drifts(largest_fall=10, before=BEFORE, **changed):
    after = BEFORE.model_copy(update=changed)
    found = compare(TABLE, before, after, SEEN, largest_fall)
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
        ({"moved": 100, "recategorized": 100}, 5, 5, []),
        ({}, -900, -900, []),
        (
            {"moved": 101, "recategorized": 200},
            142,
            6,
            [
                ("rows_moved", "rows", "101 of 1,000 rows moved to another partition"),
                (
                    "rows_recategorized",
                    "rows",
                    "200 of 1,000 rows have another of the accepted values",
                ),
                (
                    "rejected_leap",
                    "rejected",
                    "142 more records than before are rejected, most often with the reason "
                    "'no name'",
                ),
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
    seen = replace(SEEN, reasons=Counter({"no name": 3, "not an object": 2}))
    found = compare(TABLE, BEFORE, BEFORE, seen, 10, *more)
    assert [(drift.rule, drift.subject, drift.what) for drift in found] == expected
    assert not {rule for rule, *_ in expected} & STOPPING


COUNTED = BEFORE.model_copy(update={"unreadable": {"phone": 7}})
FIRST = "phone: {} values cannot be read, for example '1,200.00'"


@pytest.mark.parametrize(
    ("before", "readable", "unreadable", "rule", "what"),
    [
        (None, 800, 0, None, ""),
        (None, 0, 0, "column_null", "phone is null in every row"),
        (None, None, 0, "field_missing", "no record has the field phone"),
        (None, 1_488, 812, "many_unreadable", FIRST.format("812 of 2,300")),
        (None, 0, 3, "many_unreadable", FIRST.format("3 of 3")),
        (None, 90, 10, "column_unreadable", FIRST.format("10 of 100")),
        (None, 9_999, 1, "column_unreadable", FIRST.format("1 of 10,000")),
        (COUNTED, 800, 12, None, ""),
        (COUNTED, 800, 0, None, ""),
        (COUNTED, 800, 13, "column_unreadable", FIRST.format("13 of 813") + ", after 7 before"),
        (COUNTED, None, 0, "column_gone", "phone had 800 values and has none"),
    ],
)
def test_values_that_are_lost(before, readable, unreadable, rule, what):
    seen = Seen(
        BEFORE.fields,
        Counter(phone=unreadable),
        Counter({**SEEN.values, "phone": readable or 0}),
        examples={"phone": "'1,200.00'"},
    )
    if readable is None:
        del seen.values["phone"]
    after = BEFORE.model_copy(update={"values": {**BEFORE.values, "phone": readable or 0}})
    found = [(drift.rule, drift.what) for drift in compare(TABLE, before, after, seen, 10)]
    assert found == ([(rule, what)] if rule else [])


def test_a_new_column_is_judged_as_in_a_first_version():
    before = BEFORE.model_copy(update={"values": {"number": 1000}})
    seen = replace(SEEN, values=Counter(number=1000))
    found = {drift.subject: drift.what for drift in compare(TABLE, before, BEFORE, seen, 10)}
    assert found["city"] == "no record has the field place.city"
    assert found["owner"] == "no record has the field owner or operator"
    assert "number" not in found
    assert "country" not in found, "a partition column is not among the values of a profile"


@pytest.mark.parametrize(
    ("rejected", "reason", "rule"),
    [
        (5, "no name", None),
        (6, "no name", "rejected_leap"),
        (111, "no name", "rejected_leap"),
        (112, "no name", "many_rejected"),
        (60_000, "no year", "many_rejected"),
    ],
)
def test_rejects_of_a_first_version(rejected, reason, rule):
    seen = replace(SEEN, reasons=Counter({reason: rejected}))
    found = compare(TABLE, None, BEFORE, seen, 10, rejected=rejected)
    said = f"{rejected:,} of {rejected + 1000:,} records are rejected, most often with the reason "
    said += f"{reason!r}" + " (partition columns are required)" * (reason == "no year")
    assert [(one.rule, one.what) for one in found] == ([(rule, said)] if rule else [])


def test_what_batches_look_like_adds_up():
    one = Seen({"a": ("string",)}, Counter(phone=1), Counter(a=1), examples={"phone": "1"})
    other = Seen(
        {"a": ("number",), "b": ()},
        Counter(phone=2, id=1),
        Counter(a=1, b=0),
        Counter(why=1),
        {"phone": "2", "id": "3"},
    )
    whole = seen_in_all([one, other])
    fields = {"a": ("number", "string"), "b": ()}
    assert whole == Seen(fields, Counter(phone=3, id=1), Counter(a=2), Counter(why=1))
    assert whole.values.keys() == {"a", "b"}
    assert whole.examples == {"phone": "1", "id": "3"}


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
    """The profile of some records, as silver's first version has it; and what is told of it."""
    rows, _, seen = clean(Cleaner(table, unchanged), [json.dumps(r).encode() for r in records])
    profile = whole([profile_of(table, rows)], seen)
    return profile, [(one.rule, one.what) for one in compare(table, None, profile, seen, 10)]


@pytest.mark.parametrize("values", [(True, False), ({"n": 1}, []), (True, None)])
def test_what_a_column_of_text_cannot_hold_is_told_the_first_time(values):
    records = [{**RECORD, "number": n, "phone": v} for n, v in enumerate(values)]
    profile, found = first_version(TABLE, *records)
    unreadable = sum(value is not None for value in values)
    assert profile.unreadable == {"phone": unreadable}
    said = f"phone: {unreadable} of {unreadable} values cannot be read, for example {values[0]}"
    assert found == [("many_unreadable", said)]


@pytest.mark.parametrize("kind", ["int64", "float64", "bool", "timestamp"])
def test_what_a_column_of_another_type_cannot_hold_is_told_the_first_time(kind):
    table = replace(TABLE, columns=(*TABLE.columns, Column("state", kind)))
    profile, found = first_version(table, {**RECORD, "state": "good"})
    assert profile.unreadable == {"state": 1}
    assert profile.values["state"] == 0
    said = "state: 1 of 1 values cannot be read, for example 'good'"
    assert found == [("many_unreadable", said)]


def test_a_field_of_a_field_that_no_record_has_is_not_one_that_is_null():
    nested = [Column(name, sources=(f"place.{name}",)) for name in ("cty", "zip")]
    table = replace(TABLE, columns=(*TABLE.columns, *nested, Column("state"), Column("area")))
    more = {"place": {"city": "A", "zip": None}, "cty": 1, "state": None}
    _, found = first_version(table, {**RECORD, **more}, {**RECORD, "number": 8})
    assert found == [
        ("field_missing", "no record has the field area"),
        ("field_missing", "no record has the field place.cty"),
        ("column_null", "state is null in every row"),
        ("column_null", "zip is null in every row"),
    ]


def test_a_column_declared_as_a_bool_that_was_a_text_is_told():
    before, _ = first_version(TABLE, RECORD)
    text = replace(
        TABLE,
        columns=tuple(replace(c, type="text") if c.name == "open" else c for c in TABLE.columns),
    )
    *_, seen = clean(Cleaner(text, unchanged), [json.dumps(RECORD).encode()])
    after, _ = first_version(text, RECORD)
    assert [(one.rule, one.subject) for one in compare(text, before, after, seen, 10)] == [
        ("column_gone", "open"),
        ("column_unreadable", "open"),
    ]


# Counted columns


def test_columns_of_accepted_values_or_alerts_are_counted_and_no_others():
    profile, _ = first_version(TABLE, RECORD, {**RECORD, "number": 8, "kind": None})
    assert profile.counts == {"kind": {"sea": 1}, "country": {"Norway": 2}}
    assert profile.values["kind"] == 1
    assert "country" not in profile.values


@pytest.mark.parametrize("kind", ["int64", "bool"])
def test_a_column_that_alerts_may_be_a_number_or_a_bool(kind):
    table = replace(TABLE, columns=(*TABLE.columns, Column("zone", kind, alert_on_change=True)))
    before, _ = first_version(table, {**RECORD, "zone": {"int64": 1, "bool": True}[kind]})
    after, _ = first_version(table, {**RECORD, "zone": {"int64": 2, "bool": False}[kind]})
    seen = replace(SEEN, values=SEEN.values | Counter(zone=1))
    was, now = {"int64": ("1", "2"), "bool": ("true", "false")}[kind]
    assert [(found.rule, found.subject) for found in compare(table, before, after, seen, 10)] == [
        ("value_gone", was),
        ("new_value", now),
    ]


def test_a_column_that_was_not_counted_before_says_nothing_of_its_values():
    before = BEFORE.model_copy(update={"counts": {"kind": COUNTS["kind"]}})
    assert compare(TABLE, before, BEFORE, replace(SEEN), 10) == ()


def test_the_profiles_of_parts_add_up():
    one = Profile(rows=1, fields={}, values={"a": 1}, counts={"kind": {"sea": 1}})
    counts = {"kind": {"sea": 1, "air": 1}}
    other = Profile(rows=2, fields={}, values={"a": 1, "b": 2}, counts=counts)
    found = whole([one, other], Seen({"a": ("string",)}, Counter(b=1)))
    assert (found.rows, found.values) == (3, {"a": 2, "b": 2})
    assert (found.counts, found.unreadable) == ({"kind": {"air": 1, "sea": 2}}, {"b": 1})
