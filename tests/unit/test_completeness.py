"""The proof that all was fetched: by what an API tells, or by two walks that agree."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.records import array_lines
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.source.completeness import Tally, Totals, fold
from data.medallion.source.crawl import crawl
from data.medallion.source.errors import ApiEmpty, CrawlIncomplete
from data.medallion.table import Column, Table, record_hash, unchanged
from tests.stations import STATIONS, TABLE, InMemory, some

MEMORY = Path(":memory:")  # as SQLite calls it
FACETS = {"by_kind": "kind", "by_country": "country", "by_owner": "owner"}


def tallied(records, table=TABLE, facets=FACETS, **more):
    tally = Tally(facets, table, MEMORY, **more)
    tally.add([(json.dumps(record), record) for record in records])
    return tally


def totals(number, **facets):
    return Totals(number, {name: fold(counts) for name, counts in facets.items()})


# What an API tells


def test_the_tally_counts_each_record_once():
    one = {"number": 1, "kind": "Sea", "country": "A", "owner": "MIssouri"}
    two = {"number": 2, "kind": None, "country": "A", "operator": "Missouri"}
    tally = tallied((one, one, two, {"number": None}, "text"))
    assert (tally.records, tally.distinct) == (5, 4)
    told = totals(4, by_kind={"sea": 1}, by_country={"A": 2}, by_owner={"Missouri": 2})
    assert tally.differences(told) == {}
    told = totals(5, by_kind={"sea": 1}, by_country={"A": 1, "B": 1})
    assert tally.differences(told) == {
        "total": {"fetched": 4, "reported": 5},
        "by_country a": {"fetched": 2, "reported": 1},
        "by_country b": {"fetched": 0, "reported": 1},
    }


@pytest.mark.parametrize(
    ("key", "values", "distinct"),
    [
        ("number", [1, "1", 2], 2),
        ("number", ["a", "a", "b"], 2),
        ("number", ["", "", None], 3),
        ("number", [True, [], True], 3),
        ("number", ["\ud800", "\ud800", "\udfff"], 2),
        ("number", [0, -1, 10**30], 3),
        # A key of several columns needs each of them.
        (("name", "number"), [("A", 1), ("A", "1"), ("B", 1)], 2),
        (("name", "number"), [("A", None), ("A", None), ("", 1)], 3),
        (("name", "number"), [("A", True), ("A", []), (None, None)], 3),
    ],
)
def test_a_key_is_numbers_or_texts_and_else_each_record_is_one(key, values, distinct):
    pairs = [("", one) for one in values] if key == "number" else values
    records = [{"name": name, "number": number} for name, number in pairs]
    tally = tallied(records, replace(TABLE, key=key))
    assert (tally.records, tally.distinct) == (3, distinct)


def test_keys_and_facets_may_be_fields_of_fields():
    columns = (Column("id", sources=("meta.id", "id")), Column("city", sources=("place.city",)))
    table = Table(columns, partitions=("city",))
    records = [{"meta": {"id": 1}, "place": {"city": "X"}}, {"id": 1}, {"id": 2, "place": "X"}]
    tally = tallied(records, table, {"cities": "city"})
    assert tally.distinct == 2
    assert tally.differences(totals(2, cities={"x": 1})) == {}


def test_spellings_that_a_collation_may_join_are_folded():
    found = fold({"MIssouri ": 1, "Missouri": 2, "Açores": 3, "acores": 4})
    assert found == {"missouri": 3, "acores": 7}


def test_a_count_that_differs_is_refused_unless_the_api_excuses_it():
    records = [{"number": 1, "kind": "sea"}, {"number": 2, "kind": "Sea"}]
    said = totals(2, by_kind={"sea": 1})
    assert tallied(records).differences(said) == {"by_kind sea": {"fetched": 2, "reported": 1}}
    excused = tallied(records, excuse=lambda spellings, told: f"{spellings} {told}")
    assert excused.differences(said) == {}
    *others, noted = excused.checks(said)
    assert all(check.held and check.note is None for check in others)
    assert (noted.name, noted.expected, noted.found) == ("the API's by_kind 'sea'", 1, 2)
    assert (noted.held, noted.note) == (True, "{'sea': 1, 'Sea': 1} 1")


# Crawls


@pytest.fixture
def crawled(tmp_path, monkeypatch):
    """Crawls an API into a file; what was found, and the file."""
    monkeypatch.setenv("STATIONS_API_CRAWLS", "3")
    monkeypatch.setenv("STATIONS_API_PAGE_SIZE", "2")

    def run(api, table=TABLE, identities=None):
        path = tmp_path / "answer.json"
        settings = replace(STATIONS, api=api).load_settings()
        return crawl(api, table, settings, path, identities), path

    return run


A, B, C = some(1, 2, 3), some(1, 2, 4), some(1, 2)


def test_a_total_that_adds_up_is_the_proof(crawled):
    api = InMemory(A, totals=[Totals(3, {"by_kind": Counter(sea=3)})])
    api.facets = {"by_kind": "kind"}
    found, path = crawled(api)
    assert (found.records, api.walked, api.asked) == (3, 1, 2)
    assert [(check.name, check.expected, check.found) for check in found.checks] == [
        ("distinct records = the API's total", 3, 3),
        ("values of the API's by_kind", 1, 1),
    ]
    assert path.read_bytes() == b"".join(array_lines(map(json.dumps, A)))


def test_data_that_change_under_a_crawl_are_walked_again(crawled):
    api = InMemory(C, A, totals=[Totals(2), Totals(3), Totals(3)])
    found, _ = crawled(api)
    assert (found.records, api.walked) == (3, 2)


def test_a_total_that_never_adds_up_is_told(crawled):
    api = InMemory(C, totals=[Totals(3)])
    with pytest.raises(CrawlIncomplete, match="total: 2 fetched, 3 reported") as caught:
        crawled(api)
    assert (caught.value.crawls, api.walked) == (3, 3)


@pytest.mark.parametrize("totals", [[Totals(0)], []], ids=["a total", "two walks"])
def test_an_api_that_tells_of_nothing_is_empty(crawled, totals):
    with pytest.raises(ApiEmpty):
        crawled(InMemory([], totals=totals))


def test_without_a_total_two_walks_that_agree_are_the_proof(crawled):
    api = InMemory(A)
    found, path = crawled(api)
    assert (found.records, api.walked) == (3, 2)
    (check,) = found.checks
    assert (check.held, check.expected, check.found) == (True, 3, 3)
    assert check.name == "distinct records of two walks that met the same ids"
    assert path.read_bytes().count(b"\n") == 5


AGREEING = [[*reversed(A)], A + A[:1], [{**record, "name": "N"} for record in A]]


@pytest.mark.parametrize(
    "walks", [*((A, n) for n in AGREEING), (A, B, B), (A, C, A, A), ([], A, A)]
)
def test_walks_are_repeated_until_two_agree_by_their_ids_whatever_their_order(crawled, walks):
    api = InMemory(*walks)
    found, _ = crawled(api)
    assert (found.records, api.walked) == (len(walks[-1]), len(walks))


def test_an_api_whose_derived_keys_change_in_each_crawl_is_refused(crawled):
    walks = [[{**r, "name": f"{r['name']} {n}"} for r in A] for n in range(4)]
    table = replace(TABLE, columns=(*TABLE.columns, Column("id", derive=record_hash)), key="id")
    identities = Cleaner(table, unchanged).identities
    with pytest.raises(CrawlIncomplete, match="ids of two walks: 3 fetched, 3 reported"):
        crawled(InMemory(*walks), table, identities)
    assert crawled(InMemory(A), table, identities)[0].records == 3


def test_walks_that_never_agree_are_told(crawled):
    api = InMemory(A, B, A, C)
    with pytest.raises(CrawlIncomplete) as caught:
        crawled(api)
    assert caught.value.differences == {"ids of two walks": {"fetched": 2, "reported": 3}}
    assert (caught.value.crawls, api.walked) == (4, 4)


@given(st.lists(st.integers() | st.text(max_size=2)), st.lists(st.integers() | st.text(max_size=2)))
def test_walks_agree_only_over_the_same_ids(one, other):
    def ids(keys):
        return tallied([{"number": key} for key in keys if key != ""]).ids

    same = {str(k) for k in one if k != ""} == {str(k) for k in other if k != ""}
    assert (ids(one) == ids(other)) == same
