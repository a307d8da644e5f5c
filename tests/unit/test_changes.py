"""What a version has changed of the one before: counted and listed."""

import json
import zlib
from dataclasses import replace
from datetime import datetime, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.layers.silver.changes import LISTED, compare_rows, join_comparisons, to_json
from data.medallion.table import Column, Table
from tests.stations import TABLE

OPENED = datetime(1987, 6, 5, tzinfo=timezone.utc)
ROW = {"name": "A", "kind": "sea", "country": "Land", "year": 1987, "opened_at": OPENED}


def rows_of(*rows, table=TABLE):
    return pa.Table.from_pylist([{**ROW, **row} for row in rows], table.located_schema)


def test_each_kind_of_change_is_counted_and_listed():
    pairs = [
        ({"number": 1}, {"number": 1}),
        ({"number": 2}, {"number": 20, "name": "N"}),
        ({"number": 3}, {"number": 3, "year": 1988}),
        ({"number": 4}, {"number": 4, "kind": "land"}),
        ({"number": 5, "phone": None}, {"number": 5, "phone": "1"}),
        ({"number": 6, "open": None}, {"number": 6, "open": False}),
        ({"number": 7, "height": 1.5}, {"number": 7, "height": 1.25}),
    ]
    found = compare_rows(TABLE, *(rows_of(*rows) for rows in zip(*pairs, strict=True)))
    rows = found.report(TABLE)
    once = dict.fromkeys(("added", "removed", "moved", "recategorized"), 1)
    assert found.changes.model_dump() == {**once, "changed": 3, "partitions": 2}
    where = {"country": "Land", "year": 1987}
    assert rows["added"] == [{"number": 20, "name": "N", "kind": "sea", **where}]
    assert rows["removed"] == [{"number": 2, "name": "A", "kind": "sea", **where}]
    (moved,) = rows["moved"]
    assert (moved["from"], moved["to"]) == ({"year": 1987}, {"year": 1988})
    (recategorized,) = rows["recategorized"]
    assert (recategorized["from"], recategorized["to"]) == ({"kind": "sea"}, {"kind": "land"})
    assert [(row["number"], row["from"], row["to"]) for row in rows["changed"]] == [
        (5, {"phone": None}, {"phone": "1"}),
        (6, {"open": None}, {"open": False}),
        (7, {"height": 1.5}, {"height": 1.25}),
    ]
    assert rows["partitions"] == [
        {**where, "before": 7, "after": 6},
        {"country": "Land", "year": 1988, "before": 0, "after": 1},
    ]


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("opened_at", OPENED, OPENED.replace(hour=1)),
        ("opened_at", None, OPENED),
        ("open", True, False),
        ("height", 0.0, None),
        ("city", "A", "B"),
    ],
)
def test_a_change_of_any_type_is_one(column, before, after):
    was, now = (rows_of({"number": 1, column: value}) for value in (before, after))
    counted = compare_rows(TABLE, was, now).changes
    assert (counted.changed, counted.moved, counted.recategorized) == (1, 0, 0)
    assert not any(compare_rows(TABLE, now, now).counts.values())


def test_a_table_without_known_values_has_rows_recategorized_never():
    table = Table((Column("id"), Column("flag", "bool"), Column("part", "bool")), ("part",))
    before = rows_of({"id": "1", "flag": True, "part": True}, table=table)
    after = rows_of({"id": "1", "flag": None, "part": False}, table=table)
    found = compare_rows(table, before, after)
    assert (found.changes.moved, found.changes.recategorized, found.changes.partitions) == (1, 0, 2)
    was, now = {"flag": True, "part": True}, {"flag": None, "part": False}
    assert found.report(table)["moved"] == [{"id": "1", "part": False, "from": was, "to": now}]
    json.loads(to_json(found.report(table)))


def test_a_key_may_be_several_columns_and_one_of_them_a_partition():
    columns = Column("station"), Column("day", "int64"), Column("open", "bool")
    key = ("station", "day", "year")
    table = Table((*columns, Column("year", "int64")), partitions=("year",), key=key)

    def rows(*values):
        columns = map(list, zip(*values, strict=True))
        return pa.table([*columns], table.located_schema)

    before = rows(("A", 1, True, 0), ("A", 10, True, 0), ("B", 1, True, 0))
    after = rows(("A", 1, False, 0), ("A", 9, True, 0), ("B", 1, True, 1))
    found = compare_rows(table, before, after)
    counts = {name: n for name, n in found.changes.model_dump().items() if n}
    assert counts == {"added": 2, "removed": 2, "changed": 1, "partitions": 2}
    added = [dict(zip(key, values, strict=True)) for values in (("A", 9, 0), ("B", 1, 1))]
    assert found.report(table)["added"] == added
    joined = join_comparisons(table, [found, found])
    assert joined.rows["removed"][0] == {"station": "A", "day": 10, "year": 0}


def test_long_lists_are_cut_and_counts_are_not():
    found = compare_rows(TABLE, rows_of(), rows_of(*({"number": n} for n in range(LISTED + 7))))
    assert found.changes.added == LISTED + 7
    assert len(found.rows["added"]) == LISTED


numbers = st.dictionaries(
    st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 5),
    st.tuples(st.sampled_from([1986, 1987, 1988]), st.sampled_from(["sea", "air", None])),
)


def made(rows, part=0, parts=1):
    some = {n: of for n, of in rows.items() if zlib.crc32(str(n).encode()) % parts == part}
    return rows_of(*({"number": n, "year": year, "kind": kind} for n, (year, kind) in some.items()))


@given(numbers, numbers)
def test_the_counts_are_those_of_any_difference(was, now):
    found = compare_rows(TABLE, made(was), made(now))
    counts, rows = found.changes, found.report(TABLE)
    assert counts.added == len(now.keys() - was.keys())
    assert counts.removed == len(was.keys() - now.keys())
    both = was.keys() & now.keys()
    assert counts.moved == sum(was[n][0] != now[n][0] for n in both)
    assert counts.recategorized == sum(was[n][1] != now[n][1] for n in both)
    assert counts.changed == 0
    assert [row["number"] for row in rows["added"]] == sorted(now.keys() - was.keys())
    fallen = sum(partition["after"] - partition["before"] for partition in rows["partitions"])
    assert fallen == len(now) - len(was)


@given(numbers, numbers, st.integers(1, 4))
def test_a_comparison_in_parts_is_that_of_the_whole(was, now, parts):
    whole = compare_rows(TABLE, made(was), made(now))
    each = (compare_rows(TABLE, made(was, n, parts), made(now, n, parts)) for n in range(parts))
    in_parts = join_comparisons(TABLE, each)
    assert (in_parts.changes, in_parts.report(TABLE)) == (whole.changes, whole.report(TABLE))


def test_a_report_is_json_with_a_row_a_line_and_times_as_text():
    shown = replace(TABLE, shown=("name", "opened_at"))
    found = compare_rows(shown, rows_of({"number": 1, "name": "Ä"}), rows_of())
    text = to_json({"run": "r", "counts": {"added": 0}, **found.report(shown)}).decode()
    (row,) = json.loads(text)["removed"]
    assert (row["name"], row["opened_at"]) == ("Ä", "1987-06-05T00:00:00+00:00")
    assert sum('"name": "Ä"' in line for line in text.splitlines()) == 1
