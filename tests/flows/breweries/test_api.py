"""The Open Brewery DB's own dialect."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.flow import FLOW
from data.medallion.source.completeness import Tally, Totals, fold

API: Any = FLOW.api


def test_both_shapes_of_meta_are_read():
    told = {"total": 3, "by_type": {"micro": 3}, "by_state": {"X": 3}, "by_country": {"Y": 3}}
    facets = {"by_type": Counter(micro=3), "by_state": Counter(x=3), "by_country": Counter(y=3)}
    assert API.read_meta(told) == Totals(3, facets)
    assert API.read_meta({"total": "70", "page": "1", "per_page": "50"}) == Totals(70, {})
    nothing = {"total": 0, "by_type": [], "by_state": [], "by_country": []}
    assert API.read_meta(nothing) == Totals(0, {})


@pytest.mark.parametrize(
    "body", [[], {}, "70", {"message": "Welcome"}, {"total": "many"}, {"total": 1, "by_type": [1]}]
)
def test_what_is_no_meta_is_refused(body):
    with pytest.raises((ValueError, TypeError)):
        API.read_meta(body)


def test_deprecated_names_count_as_the_new_ones_do():
    one = {"id": "1", "brewery_type": "Micro", "country": "A", "state_province": "MIssouri"}
    two = {"id": "2", "brewery_type": None, "country": "A", "state": "Missouri"}
    facets = {"by_country": {"A": 2}, "by_state": {"Missouri": 1, "MIssouri": 1}}
    told = {"total": 2, "by_type": {"micro": 1}, **facets}
    assert tallied([one, one, two]).differences(API.read_meta(told)) == {}


def tallied(records):
    tally = Tally(API.facets, FLOW.table, Path(":memory:"), excuse=API.excuse)
    tally.add([("", record) for record in records])
    return tally


def told(records):
    """As the server tells: it counts by spelling, and puts those that differ in case in one key."""
    found = {}
    for facet, column in API.facets.items():
        field = "state_province" if column == "state" else column
        spelled = Counter(record[field] for record in records)
        found[facet] = fold({spelling.lower(): n for spelling, n in sorted(spelled.items())})
    return Totals(len(records), found)


def of_types(*types):
    others = {"country": "A", "state_province": "B"}
    return [{"id": str(n), "brewery_type": kind, **others} for n, kind in enumerate(types)]


def test_a_count_that_the_api_overwrote_is_noted_and_not_refused():
    records = of_types(*["micro"] * 300, "Micro")
    tally, said = tallied(records), told(records)
    assert said.facets["by_type"] == {"micro": 300}
    assert tally.differences(said) == {}
    *others, noted = tally.checks(said)
    assert all(check.held and check.note is None for check in others)
    assert (noted.name, noted.expected, noted.found) == ("the API's by_type 'micro'", 300, 301)
    assert noted.held
    assert "'Micro', 'micro'" in noted.note


@pytest.mark.parametrize("told_of", [299, 2, 0, 302])
def test_any_other_difference_is_refused(told_of):
    records = of_types(*["micro"] * 300, "Micro")
    said = replace(told(records), facets={"by_type": Counter(micro=told_of)})
    found = tallied(records).differences(said)
    assert found == {"by_type micro": {"fetched": 301, "reported": told_of}}


def test_one_spelling_has_no_excuse():
    said = Totals(3, {"by_type": Counter(micro=1, bar=2)})
    found = tallied(of_types("micro", "micro", "bar")).differences(said)
    assert found.keys() == {"by_type micro", "by_type bar"}


CASES = "mM iI\u0130\u0131\u00df\u1e9eSs\u017f\u03a3\u03c3\u03c2\u00c0\u00e0A\u0300\u0308Kk\u212a"
spellings = st.text(CASES, max_size=3) | st.text(max_size=3)
fields = {"brewery_type": spellings, "country": spellings, "state_province": spellings}


@given(st.lists(st.fixed_dictionaries(fields), min_size=1, max_size=30), st.data())
def test_all_records_of_any_spelling_are_complete_and_all_but_one_are_not(found, data):
    records = [{"id": str(n), **record} for n, record in enumerate(found)]
    said = told(records)
    assert tallied(records).differences(said) == {}
    assert all(check.held for check in tallied(records).checks(said))
    lacking = list(records)
    del lacking[data.draw(st.integers(0, len(records) - 1))]
    assert "total" in tallied(lacking).differences(said)
