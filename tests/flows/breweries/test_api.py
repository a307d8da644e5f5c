"""The Open Brewery DB's own dialect."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from data.medallion.source.client import Client
from data.medallion.source.completeness import Tally, Totals
from data.medallion.source.crawl import crawl
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.dataset import Data
from sandbox.breweries.encoding import encode
from sandbox.breweries.generator import generate
from sandbox.faults import Faults

API = FLOW.api


def test_both_shapes_of_meta():
    now = API.read_meta(
        {"total": 3, "by_type": {"micro": 3}, "by_state": {"X": 3}, "by_country": {"Y": 3}}
    )
    assert now == Totals(
        3,
        {
            n: Counter({k: 3})
            for n, k in (("by_type", "micro"), ("by_state", "x"), ("by_country", "y"))
        },
    )
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
    tally = Tally(API.facets, FLOW.table, Path(":memory:"))
    one = {"id": "1", "brewery_type": "Micro", "country": "A", "state_province": "MIssouri"}
    two = {"id": "2", "brewery_type": None, "country": "A", "state": "Missouri"}
    tally.add([("", record) for record in (one, one, two)])
    told = {
        "total": 2,
        "by_type": {"micro": 1},
        "by_country": {"A": 2},
        "by_state": {"Missouri": 1, "MIssouri": 1},
    }
    assert tally.differences(API.read_meta(told)) == {}


def test_what_the_local_server_tells_of_any_records_adds_up():
    records = [*generate(200, seed=3), *generate(2, seed=9)]
    tally = Tally(API.facets, FLOW.table, Path(":memory:"))
    tally.add([("", record) for record in records])
    totals = API.read_meta(json.loads(encode(Data(records).meta)))
    assert tally.differences(totals) == {}


@pytest.fixture
def local(monkeypatch):
    """Settings for a server of 300 breweries, without a limit."""
    for name, value in {
        "BREWERIES_API_PAGE_SIZE": 20,
        "BREWERIES_API_ATTEMPTS": 9,
        "BREWERIES_API_BACKOFF_SECONDS": 0,
        "BREWERIES_API_REQUESTS_PER_MINUTE": 0,
    }.items():
        monkeypatch.setenv(name, str(value))
    faults = Faults(rate_limit=0, malformed_rate=0.3, cache_seconds=60)
    with LocalBreweryApi(generate(300), faults=faults) as server:
        monkeypatch.setenv("BREWERIES_API_URL", server.url)
        yield server


def test_a_crawl_is_proved_complete_by_the_total_and_each_facet(local, tmp_path):
    found = crawl(API, FLOW.table, FLOW.load_settings(), tmp_path / "answer.json")
    assert found.records == len(json.loads((tmp_path / "answer.json").read_bytes())) == 300
    assert [check.name for check in found.checks] == [
        "distinct records = the API's total",
        "values of the API's by_type",
        "values of the API's by_country",
        "values of the API's by_state",
    ]


def test_no_two_requests_have_one_address_and_all_say_no_cache(local):
    settings = FLOW.load_settings()
    with Client(API, settings) as client:
        for _ in range(2):
            totals = API.totals(client, settings)
            pages = list(API.pages(client, settings, totals.records))
            assert sum(map(len, pages)) == 300
    asked = [(request.path, *sorted(request.query.items())) for request in local.requests]
    assert len(set(asked)) == len(asked) > 36
    assert not any(request.cached for request in local.requests)
    assert {request.cache_control for request in local.requests} == {"no-cache"}


def test_pages_are_in_the_order_of_the_ids(local):
    settings = replace(FLOW, api=API).load_settings()
    with Client(API, settings) as client:
        rows = [record for page in API.pages(client, settings, 300) for _, record in page]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
