import json
import zlib

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.table import LOCATED_SCHEMA
from data.medallion.layers.changes import LISTED, compare, joined, to_json

ROW = {"name": "A", "brewery_type": "micro", "country": "Land", "state": "State"}


def table(*rows):
    return pa.Table.from_pylist([{**ROW, **row} for row in rows], LOCATED_SCHEMA)


def test_each_kind_of_change():
    before = table(
        {"id": "same"},
        {"id": "gone"},
        {"id": "mover"},
        {"id": "closing"},
        {"id": "renamed", "phone": None},
    )
    after = table(
        {"id": "same"},
        {"id": "new", "name": "N"},
        {"id": "mover", "state": "Other"},
        {"id": "closing", "brewery_type": "closed"},
        {"id": "renamed", "phone": "1"},
    )
    found = compare(before, after)
    counts, rows = found.changes, found.report
    assert counts.model_dump() == {
        "added": 1,
        "removed": 1,
        "moved": 1,
        "changed_type": 1,
        "changed_otherwise": 1,
        "locations": 2,
    }
    place = {"country": "Land", "state": "State"}
    assert rows["added"] == [{"id": "new", "name": "N", "brewery_type": "micro", **place}]
    assert rows["removed"] == [{"id": "gone", "name": "A", "brewery_type": "micro", **place}]
    (moved,) = rows["moved"]
    assert (moved["from"], moved["to"]) == (place, {"country": "Land", "state": "Other"})
    (retyped,) = rows["changed_type"]
    assert (retyped["from"], retyped["to"]) == (
        {"brewery_type": "micro"},
        {"brewery_type": "closed"},
    )
    assert [row["id"] for row in rows["changed_otherwise"]] == ["renamed"]
    assert rows["locations"] == [
        {"country": "Land", "state": "Other", "before": 0, "after": 1},
        {**place, "before": 5, "after": 4},
    ]


def test_a_row_may_move_and_change_its_type():
    counts = compare(
        table({"id": "1"}), table({"id": "1", "state": "Other", "brewery_type": "bar"})
    ).changes
    assert (counts.moved, counts.changed_type, counts.changed_otherwise) == (1, 1, 0)


def test_long_lists_are_cut_and_counts_are_not():
    found = compare(table(), table(*({"id": str(n)} for n in range(LISTED + 7))))
    assert found.changes.added == LISTED + 7
    assert len(found.rows["added"]) == LISTED


ids = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=3),
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["bar", "micro", None])),
)


@given(ids, ids)
def test_the_counts_explain_the_difference(was, now):
    before, after = (
        table(*({"id": i, "state": s, "brewery_type": t} for i, (s, t) in rows.items()))
        for rows in (was, now)
    )
    found = compare(before, after)
    counts, rows = found.changes, found.report
    assert counts.added == len(now.keys() - was.keys())
    assert counts.removed == len(was.keys() - now.keys())
    both = was.keys() & now.keys()
    assert counts.moved == sum(was[i][0] != now[i][0] for i in both)
    assert counts.changed_type == sum(was[i][1] != now[i][1] for i in both)
    assert counts.changed_otherwise == 0
    fallen = sum(place["after"] - place["before"] for place in rows["locations"])
    assert fallen == len(now) - len(was)


@given(ids, ids, st.integers(1, 4))
def test_a_comparison_in_parts_is_that_of_the_whole(was, now, parts):
    def rows(found, part=None):
        return table(
            *(
                {"id": i, "state": s, "brewery_type": t}
                for i, (s, t) in found.items()
                if part is None or zlib.crc32(i.encode()) % parts == part
            )
        )

    whole = compare(rows(was), rows(now))
    in_parts = joined(compare(rows(was, part), rows(now, part)) for part in range(parts))
    assert (in_parts.changes, in_parts.report) == (whole.changes, whole.report)


def test_a_report_is_json_with_a_row_a_line():
    found = compare(table({"id": "Ä"}), table())
    text = to_json({"run": "r", "counts": {"added": 0}, **found.report}).decode()
    assert json.loads(text)["removed"][0]["id"] == "Ä"
    assert sum('"id": "Ä"' in line for line in text.splitlines()) == 1
