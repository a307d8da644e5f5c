import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.breweries import api as brewery_api
from data.medallion.settings import LakeSettings
from data.medallion.source.client import Client, seconds_asked
from data.medallion.source.errors import (
    ApiBodyMalformed,
    ApiBusy,
    ApiGaveUp,
    ApiRefused,
    ApiUnreachable,
)
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.setenv(name, "127.0.0.1:9")
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "1")
    monkeypatch.setenv("BREWERIES_API_BACKOFF_SECONDS", "0.3")


def test_what_mage_was_handling_is_not_the_reason():
    with Client(LakeSettings.load()) as client:
        try:
            raise RuntimeError("no running event loop")
        except RuntimeError:
            with pytest.raises(ApiGaveUp, match="refused"):
                client.get("http://127.0.0.1:9/v1/breweries", {}, str)


# Waits

NOW = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        (" 60\t", 60),
        ("1.5", 1.5),
        (".5", 0.5),
        ("9" * 30, 1e30),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30),
        ("  Sun, 06 Nov 1994 08:50:07 GMT ", 30),
        ("Sunday, 06-Nov-94 08:50:07 GMT", 30),
        ("Sun Nov  6 08:50:07 1994", 30),
        ("Sun, 06 Nov 1994 09:50:07 +0100", 30),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("1,5", None),
        ("Sun, 36 Nov 1994 08:49:07 GMT", None),
        ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", None),
    ],
)
def test_a_wait_that_is_asked_for(asked, seconds):
    assert seconds_asked({"Retry-After": asked, "Date": NOW}) == seconds


def test_a_date_is_by_our_clock_where_the_answer_tells_no_time():
    assert seconds_asked({"Retry-After": NOW}) == 0
    assert seconds_asked({"Retry-After": "Sun, 06 Nov 2094 08:49:37 GMT", "Date": "-"}) > 1e9
    assert seconds_asked({}) is None


almost_dates = st.from_regex(r"(\w{3}, )?-?\d+[ -]\w{3}[ -]-?\d{1,6} \d+:\d+:\d+( [-+]?\d+)?")


@given(st.text() | st.floats().map(str) | almost_dates, st.just(NOW) | st.text())
def test_whatever_is_asked_a_wait_is_finite_and_never_negative(asked, date):
    seconds = seconds_asked({"Retry-After": asked, "Date": date})
    assert seconds is None or 0 <= seconds < math.inf


FORMS = {
    "seconds": 1,
    "blanks": 1,
    "fraction": 0.6,
    "date": 1,
    "rfc850": 1,
    "asctime": 1,
    # What says nothing leaves the wait to the back-off.
    "past": 0.3,
    "negative": 0.3,
    "words": 0.3,
    "": 0.3,
}


def test_each_form_of_a_wait_is_honoured_by_the_client(monkeypatch):
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "2")
    settings = LakeSettings.load()

    def gap(form):
        faults = Faults(busy_rate=1, busy_status=503, retry_after_seconds=0.5, retry_after=form)
        with LocalBreweryApi([], faults=faults) as api, Client(settings) as client:
            with pytest.raises(ApiGaveUp, match="HTTP 503"):
                client.get(api.url, {}, str)
            first, second = api.requests
        return second.started - first.finished

    with ThreadPoolExecutor(len(FORMS)) as pool:
        gaps = dict(zip(FORMS, pool.map(gap, FORMS), strict=True))
    assert {form: found for form, found in gaps.items() if found < FORMS[form]} == {}
    assert max(gaps.values()) < 4


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_is_worth_another_try(monkeypatch, status):
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "3")
    monkeypatch.setenv("BREWERIES_API_BACKOFF_SECONDS", "0.01")
    faults = Faults(busy_rate=1, busy_status=status, retry_after="")
    with LocalBreweryApi([], faults=faults) as api, Client(LakeSettings.load()) as client:
        with pytest.raises(ApiGaveUp, match=f"HTTP {status}"):
            client.get(api.url, {}, str)
        assert len(api.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451])
def test_what_is_not(monkeypatch, status):
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "3")
    faults = Faults(busy_rate=1, busy_status=status)
    with LocalBreweryApi([], faults=faults) as api, Client(LakeSettings.load()) as client:
        with pytest.raises(ApiRefused, match=f"HTTP {status}"):
            client.get(api.url, {}, str)
        assert len(api.requests) == 1


def test_a_wait_longer_than_the_time_left_is_told(monkeypatch):
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "3")
    faults = Faults(busy_rate=1, retry_after_seconds=3600)
    with LocalBreweryApi([], faults=faults) as api, Client(LakeSettings.load()) as client:
        with pytest.raises(ApiGaveUp, match="HTTP 429 and asks us to wait 3600 s"):
            client.get(api.url, {}, str)
        assert len(api.requests) == 1


# What an error names

PAGE = r"/v1/breweries\?page=7&per_page=200&sort=id%3Aasc"


@pytest.mark.parametrize(
    ("faults", "cause"),
    [
        ({"broken_pages": frozenset({7})}, ApiBusy),
        ({"busy_rate": 1.0}, ApiBusy),
        ({"reset_rate": 1.0}, ApiUnreachable),
        ({"body": "object"}, ApiBodyMalformed),
        ({"busy_rate": 1.0, "busy_status": 403}, None),
    ],
)
def test_an_error_names_the_page_that_a_person_can_open(faults, cause):
    asked = {"page": 7, "per_page": 200, "sort": "id:asc"}
    settings = LakeSettings.load()
    with LocalBreweryApi([], faults=Faults(**faults)) as api, Client(settings) as client:
        with pytest.raises((ApiGaveUp, ApiRefused), match=PAGE) as caught:
            client.get(api.url, asked, brewery_api.split_array, brewery_api.UNIQUE)
        assert caught.value.url.startswith(api.url + "?page=7&")
        assert brewery_api.UNIQUE not in str(caught.value)
        assert type(caught.value.__cause__) is (cause or type(None))


# Caches


def test_no_two_requests_have_one_address_and_all_say_no_cache(monkeypatch):
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "9")
    monkeypatch.setenv("BREWERIES_API_BACKOFF_SECONDS", "0")
    faults = Faults(rate_limit=0, malformed_rate=0.3, cache_seconds=60)
    with LocalBreweryApi(generate(300), faults=faults) as api:
        monkeypatch.setenv("BREWERIES_API_URL", api.url)
        monkeypatch.setenv("BREWERIES_API_PAGE_SIZE", "20")
        settings = LakeSettings.load()
        with Client(settings) as client:
            for _ in range(2):
                totals = brewery_api.totals(client, settings)
                pages = list(brewery_api.pages(client, settings, totals.records))
                assert sum(map(len, pages)) == 300
        asked = [(request.path, *sorted(request.query.items())) for request in api.requests]
        assert len(set(asked)) == len(asked) > 36
        assert not any(request.cached for request in api.requests)
        assert {request.cache_control for request in api.requests} == {"no-cache"}
