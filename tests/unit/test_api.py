import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries.api import FACETS, read_meta
from data.medallion.errors import MedallionError, SettingError
from data.medallion.lake.manifest import Check
from data.medallion.source.completeness import Tally, Totals, fold
from data.medallion.source.errors import ApiGaveUp, ApiUnreachable
from sandbox.breweries.dataset import Data
from sandbox.breweries.encoding import encode

MEMORY = Path(":memory:")  # as SQLite calls it


def test_both_shapes_of_meta():
    now = read_meta(
        {"total": 3, "by_type": {"micro": 3}, "by_state": {"X": 3}, "by_country": {"Y": 3}}
    )
    assert now == Totals(
        3,
        {
            n: Counter({k: 3})
            for n, k in (("by_type", "micro"), ("by_state", "x"), ("by_country", "y"))
        },
    )
    assert read_meta({"total": "70", "page": "1", "per_page": "50"}) == Totals(70, {})
    assert read_meta({"total": 0, "by_type": [], "by_state": [], "by_country": []}) == Totals(0, {})


@pytest.mark.parametrize(
    "body", [[], {}, "70", {"message": "Welcome"}, {"total": "many"}, {"total": 1, "by_type": [1]}]
)
def test_what_is_no_meta_is_refused(body):
    with pytest.raises((ValueError, TypeError)):
        read_meta(body)


def test_the_tally_counts_each_record_once():
    tally = Tally(FACETS, MEMORY)
    one = {"id": "1", "brewery_type": "Micro", "country": "A", "state_province": "MIssouri"}
    two = {"id": "2", "brewery_type": None, "country": "A", "state": "Missouri"}
    for record in (one, one, two, {"id": None}, "text"):
        tally.add(record)
    assert (tally.records, tally.distinct) == (5, 4)
    told = {
        "total": 4,
        "by_type": {"micro": 1},
        "by_country": {"A": 2},
        "by_state": {"Missouri": 1, "MIssouri": 1},
    }
    assert tally.differences(read_meta(told)) == {}
    assert tally.differences(read_meta({**told, "total": 5, "by_country": {"A": 1, "B": 1}})) == {
        "total": {"fetched": 4, "told": 5},
        "by_country a": {"fetched": 2, "told": 1},
        "by_country b": {"fetched": 0, "told": 1},
    }


def test_spellings_that_a_collation_may_join_are_folded():
    assert fold({"MIssouri ": 1, "Missouri": 2, "Açores": 3, "acores": 4}) == {
        "missouri": 3,
        "acores": 7,
    }


def tallied(records):
    tally = Tally(FACETS, MEMORY)
    for record in records:
        tally.add(record)
    return tally


def told(records):
    """What the local API's `/meta` says of them."""
    return read_meta(json.loads(encode(Data(records).meta)))


def of_types(*kinds):
    place = {"country": "A", "state_province": "B"}
    return [{"id": str(n), "brewery_type": kind, **place} for n, kind in enumerate(kinds)]


def test_a_count_that_the_api_overwrote_is_noted_and_not_refused():
    records = of_types(*["micro"] * 300, "Micro")
    tally = tallied(records)
    totals = told(records)
    assert totals.facets["by_type"] == {"micro": 300}
    assert tally.differences(totals) == {}
    *others, noted = tally.checks(totals)
    assert all(check.held and check.note is None for check in others)
    assert (noted.name, noted.expected, noted.found) == ("the API's by_type 'micro'", 300, 301)
    assert noted.held
    assert noted.note is not None
    assert "'Micro', 'micro'" in noted.note


@pytest.mark.parametrize("told_of", [299, 2, 0, 302])
def test_any_other_difference_is_refused(told_of):
    tally = tallied(of_types(*["micro"] * 300, "Micro"))
    places = {"by_country": {"A": 301}, "by_state": {"B": 301}}
    totals = read_meta({"total": 301, "by_type": {"micro": told_of}, **places})
    assert tally.differences(totals) == {"by_type micro": {"fetched": 301, "told": told_of}}


def test_one_spelling_has_no_excuse():
    tally = tallied(of_types("micro", "micro", "nano"))
    totals = read_meta({"total": 3, "by_type": {"micro": 1, "nano": 2}})
    assert tally.differences(totals).keys() == {"by_type micro", "by_type nano"}


CASES = "mM iI\u0130\u0131\u00df\u1e9eSs\u017f\u03a3\u03c3\u03c2\u00c0\u00e0A\u0300\u0308Kk\u212a"
spellings = st.text(CASES, max_size=3) | st.text(max_size=3)
records_of_any_spelling = st.lists(
    st.fixed_dictionaries(
        {"brewery_type": spellings, "country": spellings, "state_province": spellings}
    ),
    min_size=1,
    max_size=30,
).map(lambda records: [{"id": str(n), **record} for n, record in enumerate(records)])


@given(records_of_any_spelling, st.data())
def test_all_records_of_any_spelling_are_complete_and_all_but_one_are_not(records, data):
    totals = told(records)
    assert tallied(records).differences(totals) == {}
    assert all(check.held for check in tallied(records).checks(totals))
    lacking = list(records)
    del lacking[data.draw(st.integers(0, len(records) - 1))]
    assert "total" in tallied(lacking).differences(totals)


def test_a_check_without_a_note_is_stored_as_ever():
    check = Check(name="n", expected=1, found=1)
    assert check.model_dump_json(exclude_none=True) == '{"name":"n","expected":1,"found":1}'
    assert not Check(name="n", expected=1, found=2).held


def test_errors_survive_a_process_boundary():
    import pickle

    error = ApiGaveUp("http://x", 3, str(ApiUnreachable("http://x", "refused")), "60 s")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.facts) == (ApiGaveUp, str(error), error.facts)
    assert copy.attempts == 3


def test_every_error_is_documented_and_listed():
    import inspect

    from data.medallion import errors

    classes = {
        n for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, MedallionError)
    }
    assert classes == set(errors.__all__)
    assert all(getattr(errors, name).__doc__ for name in classes)
    assert issubclass(SettingError, MedallionError)
