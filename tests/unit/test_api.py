from collections import Counter

import pytest

from data.breweries.api import FACETS, read_meta
from data.breweries.completeness import Tally, Totals, fold
from data.breweries.errors import ApiGaveUp, ApiUnreachable, BreweriesError, SettingError


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
    tally = Tally(FACETS)
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


def test_errors_survive_a_process_boundary():
    import pickle

    error = ApiGaveUp("http://x", 3, str(ApiUnreachable("http://x", "refused")), "60 s")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.facts) == (ApiGaveUp, str(error), error.facts)
    assert copy.attempts == 3


def test_every_error_is_documented_and_listed():
    import inspect

    from data.breweries import errors

    classes = {
        n for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, BreweriesError)
    }
    assert classes == set(errors.__all__)
    assert all(getattr(errors, name).__doc__ for name in classes)
    assert issubclass(SettingError, BreweriesError)
