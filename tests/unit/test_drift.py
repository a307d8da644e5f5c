"""Which changes of the data are noted, by which rule, in which words."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.manifest import Changes, Profile
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.layers.silver.drift import (
    Outcome,
    Seen,
    fields_of,
    find_drifts,
    profile_of,
    seen_in_all,
    whole,
)
from data.medallion.rules import RULES, STOPPING
from data.medallion.table import Column, unchanged
from tests.cleaning import clean
from tests.flow_tests import records_of
from tests.stations import RECORD, TABLE

COUNTS = {"country": {"Ireland": 70, "Ukraine": 1}, "kind": {"sea": 900, "air": 100}}
FIELDS = {"number": ("number",), "phone": ("string",), "height": ("number",), "note": ()}
VALUES = {"number": 1000, "phone": 800, "height": 700, "owner": 9}
BEFORE = Profile(rows=1000, fields=FIELDS, values=VALUES, counts=COUNTS)
SEEN = Seen(BEFORE.fields, values=Counter({column.name: 1000 for column in TABLE.columns}))
UNCHANGED = Changes()


def compared(table, before, after, seen, largest_fall=10, changes=UNCHANGED, **more):
    was = before and Outcome(before)
    return find_drifts(table, was, Outcome(after, **more), changes, seen, largest_fall)


def drifts(table=TABLE, before=BEFORE, after=BEFORE, seen=SEEN, **more):
    """The rule and the subject of each drift."""
    return [(drift.rule, drift.subject) for drift in compared(table, before, after, seen, **more)]


def but(profile=BEFORE, **changed):
    return profile.model_copy(update=changed)


def with_columns(*columns):
    return replace(TABLE, columns=(*TABLE.columns, *columns))


def fields(**changed):
    found = {**FIELDS, **changed}
    return {name: kinds for name, kinds in found.items() if kinds is not None}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"rows": 900}, []),
        ({"rows": 5000}, []),
        ({"rows": 899}, [("row_fall", "rows")]),
        ({"counts": {"country": {"Ireland": 70}}}, [("value_gone", "Ukraine")]),
        ({"counts": {"country": {**COUNTS["country"], "Chad": 2}}}, [("new_value", "Chad")]),
        ({"counts": {**COUNTS, "kind": {"sea": 900, "lunar": 3}}}, [("unknown_value", "lunar")]),
        ({"values": {**VALUES, "phone": 0}}, [("column_gone", "phone")]),
        ({"values": {**VALUES, "phone": 1}}, []),
        ({"values": {**VALUES, "owner": 0}}, []),
        ({"fields": fields(phone=None)}, []),
        ({"fields": fields(phone=())}, []),
        ({"fields": fields(note=("string",))}, []),
        ({"fields": fields(depth=("number", "string"))}, [("new_field", "depth")]),
        ({"fields": fields(height=("string",))}, [("type_changed", "height")]),
        ({"fields": fields(phone=("object", "string"))}, [("type_changed", "phone")]),
    ],
)
def test_a_change_of_the_profile_is_noted_by_its_rule(changed, expected):
    assert drifts(after=but(**changed)) == expected


@pytest.mark.parametrize(
    ("changes", "rejected", "duplicate", "rules"),
    [
        ({"removed": 100, "added": 100}, 0, 0, []),
        ({"removed": 101, "added": 0}, 0, 0, []),
        ({"removed": 0, "added": 900}, 0, 0, []),
        ({"removed": 101, "added": 1}, 0, 0, ["ids_replaced"]),
        ({"moved": 100, "recategorized": 100}, 5, 5, []),
        ({}, -900, -900, []),
        ({"moved": 101, "recategorized": 101}, 0, 0, ["rows_moved", "rows_recategorized"]),
        ({}, 6, 6, ["rejected_leap", "duplicate_leap"]),
    ],
)
def test_rows_that_are_not_what_they_were_are_noted_and_stop_nothing(
    changes, rejected, duplicate, rules
):
    counted = {"changes": Changes(**changes), "rejected": rejected, "duplicate": duplicate}
    found = drifts(seen=replace(SEEN, reasons=Counter({"no name": 1})), **counted)
    assert [rule for rule, _ in found] == rules
    assert not set(rules) & STOPPING


COUNTED = but(unreadable={"phone": 7})


@pytest.mark.parametrize(
    ("before", "readable", "unreadable", "rule"),
    [
        (None, 800, 0, None),
        (None, 0, 0, "column_null"),
        (None, None, 0, "field_missing"),
        (None, 1_488, 812, "many_unreadable"),
        (None, 0, 3, "many_unreadable"),
        (None, 90, 10, "column_unreadable"),
        (None, 9_999, 1, "column_unreadable"),
        (COUNTED, 800, 12, None),
        (COUNTED, 800, 0, None),
        (COUNTED, 800, 13, "column_unreadable"),
        (COUNTED, None, 0, "column_gone"),
    ],
)
def test_values_that_are_lost_are_noted_by_their_rule(before, readable, unreadable, rule):
    values = Counter({**SEEN.values, "phone": readable or 0})
    if readable is None:
        del values["phone"]
    seen = replace(SEEN, unreadable=Counter(phone=unreadable), values=values)
    after = but(values={**VALUES, "phone": readable or 0})
    assert drifts(before=before, after=after, seen=seen) == ([(rule, "phone")] if rule else [])


def test_a_new_column_is_judged_as_in_a_first_version():
    found = drifts(before=but(values={"number": 1000}), seen=Seen({}, values=Counter(number=1000)))
    assert {("field_missing", "city"), ("field_missing", "owner")} <= {*found}
    # A partition column is not among the values of a profile.
    assert not {"number", "country"} & {subject for _, subject in found}


@pytest.mark.parametrize(
    ("rejected", "rule"),
    [(5, None), (6, "rejected_leap"), (111, "rejected_leap"), (112, "many_rejected")],
)
def test_rejects_of_a_first_version_stop_it_where_they_are_many(rejected, rule):
    seen = replace(SEEN, reasons=Counter({"no name": rejected}))
    found = drifts(before=None, seen=seen, rejected=rejected)
    assert found == ([(rule, "rejected")] if rule else [])


def test_each_rule_has_a_sentence_with_its_numbers():
    after = but(
        rows=899,
        fields=fields(height=("string",), depth=("number", "string")),
        values={**VALUES, "phone": 0},
        counts={"country": {"Ireland": 70, "Chad": 2}, "kind": {"sea": 900, "lunar": 3}},
    )
    lost = {"unreadable": Counter(phone=13), "examples": {"phone": "'1,200.00'"}}
    reasons = Counter({"no year": 3, "no name": 2})
    seen = replace(SEEN, values=Counter(phone=800, zip=0), reasons=reasons, **lost)
    moved = Changes(removed=987, added=1_237, moved=101, recategorized=200)
    table = with_columns(Column("zip"))
    after = but(after, values={**after.values, "zip": 0})
    found = [
        *compared(table, BEFORE, after, seen, 10, moved, rejected=142, duplicate=6),
        *compared(TABLE, None, but(values={"phone": 9}), seen, 1, rejected=60_000),
    ]
    assert {drift.rule for drift in found} == RULES.keys() - {"api_changed"}
    assert {drift.what for drift in found} >= {
        "1,000 rows fell to 899, by 10.1%",
        "the country Ukraine had 1 rows and has none",
        "the country Chad is new, with 2 rows",
        "3 rows have the unknown kind 'lunar'",
        "phone had 800 values and has none",
        "the field depth is new (number and string)",
        "height was number, and is string",
        "987 of 1,000 ids are gone, and 1,237 have come",
        "101 of 1,000 rows moved to another partition",
        "200 of 1,000 rows have another of the accepted values",
        "142 more records than before are rejected, most often with the reason 'no year' "
        "(partition columns are required)",
        "60,000 of 61,000 records are rejected, most often with the reason 'no year' "
        "(partition columns are required)",
        "6 more records than before have an id that comes again",
        "phone: 13 of 813 values cannot be read, for example '1,200.00', after 0 before",
        "phone: 13 of 813 values cannot be read, for example '1,200.00'",
        "zip is null in every row",
        "no record has the field place.city",
        "no record has the field owner or operator",
    }


def test_the_limit_of_a_fall_is_a_setting():
    assert drifts(largest_fall=50, after=but(rows=501)) == []
    assert drifts(largest_fall=0, after=but(rows=999)) == [("row_fall", "rows")]


def test_a_first_version_has_nothing_to_differ_from():
    assert drifts(before=None, after=but(rows=1)) == []
    lunar = but(counts={"kind": {"lunar": 1}})
    assert drifts(before=None, after=lunar) == [("unknown_value", "lunar")]


def test_fields_have_the_types_of_their_json_values():
    one, two = {"a": 1, "b": None, "c": "x"}, {"a": 1.5, "b": True, "c": {"x": 1}}
    found = fields_of([one, two, {"a": "1", "d": [1]}])
    kinds = {"b": ("boolean",), "c": ("object", "string"), "d": ("array",)}
    assert found == {"a": ("number", "string"), **kinds}


@given(st.lists(records_of(TABLE), max_size=12), st.integers(0, 12))
def test_records_in_batches_are_profiled_as_the_whole(received, cut):
    def profiled(*batches):
        texts = ([json.dumps(record).encode() for record in batch] for batch in batches)
        parts = [clean(Cleaner(TABLE, unchanged), some) for some in texts]
        seen = seen_in_all(seen for *_, seen in parts)
        return whole([profile_of(TABLE, rows) for rows, *_ in parts], seen), seen

    (one, seen), (other, of_whole) = profiled(received[:cut], received[cut:]), profiled(received)
    assert (one, seen) == (other, of_whole)
    assert seen.values.keys() == of_whole.values.keys()
    assert seen.examples.keys() == of_whole.examples.keys()


# A column that is declared otherwise than its field is


def first_version(table, *records):
    """The profile of some records, as silver's first version has it; and what is told of it."""
    rows, _, seen = clean(Cleaner(table, unchanged), [json.dumps(r).encode() for r in records])
    profile = whole([profile_of(table, rows)], seen)
    return profile, drifts(table, None, profile, seen)


@pytest.mark.parametrize(
    ("kind", "values"),
    [("text", (True, False)), ("text", ({"n": 1}, [])), ("text", (True, None)), ("int64", ("x",)),
     ("float64", ("x",)), ("bool", ("x",)), ("timestamp", ("x",))],
)  # fmt: skip
def test_what_no_column_of_a_type_can_hold_is_told_the_first_time(kind, values):
    table = with_columns(Column("state", kind))
    records = [{**RECORD, "number": n, "state": value} for n, value in enumerate(values)]
    profile, found = first_version(table, *records)
    assert profile.unreadable == {"state": sum(value is not None for value in values)}
    assert profile.values["state"] == 0
    assert found == [("many_unreadable", "state")]


def test_a_field_of_a_field_that_no_record_has_is_not_one_that_is_null():
    nested = [Column(name, sources=(f"place.{name}",)) for name in ("cty", "zip")]
    table = with_columns(*nested, Column("state"), Column("area"))
    more = {"place": {"city": "A", "zip": None}, "cty": 1, "state": None}
    _, found = first_version(table, {**RECORD, **more}, {**RECORD, "number": 8})
    missing = [("field_missing", name) for name in ("area", "cty")]
    assert found == [*missing, ("column_null", "state"), ("column_null", "zip")]


def test_a_column_declared_as_a_bool_that_was_a_text_is_told():
    before, _ = first_version(TABLE, RECORD)
    columns = (replace(c, type="text") if c.name == "open" else c for c in TABLE.columns)
    text = replace(TABLE, columns=tuple(columns))
    after, _ = first_version(text, RECORD)
    *_, seen = clean(Cleaner(text, unchanged), [json.dumps(RECORD).encode()])
    found = drifts(text, before, after, seen)
    assert found == [("column_gone", "open"), ("column_unreadable", "open")]


# Counted columns


def test_columns_of_accepted_values_or_alerts_are_counted_and_no_others():
    profile, _ = first_version(TABLE, RECORD, {**RECORD, "number": 8, "kind": None})
    assert profile.counts == {"kind": {"sea": 1}, "country": {"Norway": 2}}
    assert profile.values["kind"] == 1
    assert "country" not in profile.values


@pytest.mark.parametrize(("kind", "values"), [("int64", (1, 2)), ("bool", (True, False))])
def test_a_column_that_alerts_may_be_a_number_or_a_bool(kind, values):
    table = with_columns(Column("zone", kind, alert_on_change=True))
    before, after = (first_version(table, {**RECORD, "zone": value})[0] for value in values)
    was, now = (json.dumps(value) for value in values)
    seen = replace(SEEN, values=SEEN.values | Counter(zone=1))
    assert drifts(table, before, after, seen) == [("value_gone", was), ("new_value", now)]


def test_a_column_that_was_not_counted_before_says_nothing_of_its_values():
    assert drifts(before=but(counts={"kind": COUNTS["kind"]})) == []
