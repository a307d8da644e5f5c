"""From page to page, by number, offset, cursor or link, and never in a circle."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.errors import OwnCodeFailed
from data.medallion.source.api import Api, Total
from data.medallion.source.client import Client
from data.medallion.source.errors import ApiGaveUp, ApiLooped
from data.medallion.source.exchange import Response
from data.medallion.source.pagination import (
    Cursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
    next_link,
)
from tests.answers import Answer, serving
from tests.stations import STATIONS

SIZE = 3
NUMBERED = PageNumber("page", size="size")


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    limits = {"REQUESTS_PER_MINUTE": 0, "BACKOFF_SECONDS": 0, "ATTEMPTS": 2}
    for name, value in {"PAGE_SIZE": SIZE, "CONNECTIONS": 2, **limits}.items():
        monkeypatch.setenv(f"STATIONS_API_{name}", str(value))


@contextmanager
def asking(api, answer):
    """A server that answers as a test says; a client of it with its settings."""
    with serving(answer) as server:
        settings = STATIONS.load_settings().model_copy(update={"api_url": server.url})
        with Client(api, settings) as client:
            yield client, settings, server


def walked(answer, total=None, **declared):
    """What a declared API gives, page by page, and the server that gave it."""
    api = Api(title="", url="", **{"records": "data", **declared})
    with asking(api, answer) as (client, settings, server):
        pages = [[value for _, value in page] for page in api.pages(client, settings, total)]
    return pages, server


def flat(pages):
    return [record for page in pages for record in page]


def listing(length, cap=SIZE, beyond=200):
    """A list of numbers that is asked for by page or by offset, in pages of at most `cap`."""

    def answer(request):
        size = min(int(request.query["size"]), cap)
        start = int(request.query.get("skip", (int(request.query.get("page", 1)) - 1) * size))
        found = list(range(start, min(start + size, length)))
        status = 200 if found or not start else beyond
        return Answer("" if status == 204 else json.dumps({"data": found}), status)

    return answer


@given(
    st.sampled_from([NUMBERED, Offset("skip", size="size")]),
    st.integers(0, 30),
    st.none() | st.integers(0, 40) | st.just(10**12),
    st.integers(1, SIZE),
    st.sampled_from([200, 204, 404]),
)
def test_all_pages_are_had_once_whatever_total_is_told(paging, length, total, cap, beyond):
    """Also where a server silently caps its pages, and whatever it says after the last one."""
    pages, server = walked(listing(length, cap, beyond), total, paging=paging)
    assert flat(pages) == list(range(length))[: len(flat(pages))]
    # A total that is far too small ends it early, or a little too small where pages are capped.
    ended = total is not None and (2 * total < length or (cap < SIZE and total < length))
    assert len(flat(pages)) == length or ended
    queries = [tuple(request.query.items()) for request in server.requests]
    assert len(set(queries)) == len(queries) <= length // cap + 6


@pytest.mark.parametrize("start", [0, 1, 5])
def test_numbers_and_offsets_begin_where_it_is_said(start):
    for paging in (PageNumber("page", "size", start), Offset("page", "size", start)):
        _, server = walked(lambda _: Answer('{"data":[1]}'), 1, paging=paging)
        assert [request.query["page"] for request in server.requests] == [str(start)]


def test_a_server_that_ignores_the_number_is_noticed():
    with pytest.raises(ApiLooped, match=r"page=2&size=3 gives a page that was there before"):
        walked(lambda _: Answer('{"data":[1,2,3]}'), paging=NUMBERED)


def test_a_list_that_never_ends_does_where_a_total_is_told():
    numbers = count()
    pages, _ = walked(
        lambda _: Answer(json.dumps({"data": [next(numbers)] * SIZE})), 6, paging=NUMBERED
    )
    assert 6 <= len(flat(pages)) <= 2 * (6 + 2 * SIZE)


# Cursors and links


@pytest.mark.parametrize("paging", [
    Cursor("meta.next", cursor="at", size="size", start="*"), Cursor("meta.next", cursor="at"),
    JsonLink("meta.link"), HeaderLink(size="size"),
])  # fmt: skip
def test_each_page_leads_to_the_next_one_down_to_the_end(paging):
    def answer(request):
        at = request.query.get("at", "*").removeprefix("*") or "0"
        following = str(int(at) + 1) if at != "2" else None
        link = f"?at={following}&more=1" if following else None
        body = {"data": [int(at)], "meta": {"next": following, "link": link}}
        return Answer(json.dumps(body), headers={"Link": f'<{link}>; rel="next"'} if link else {})

    pages, server = walked(answer, paging=paging, parameters={"q": "x"})
    assert pages == [[0], [1], [2]]
    assert server.requests[0].query["q"] == "x"
    assert len(server.requests) == 3


@pytest.mark.parametrize("paging", [Cursor("next", cursor="at"), JsonLink("link")])
def test_pages_that_lead_in_a_circle_are_noticed(paging):
    def answer(request):
        at = (int(request.query.get("at", 0)) + 1) % 3
        return Answer(json.dumps({"data": [at], "next": at or 3, "link": f"?at={at}"}))

    with pytest.raises(ApiLooped, match="in a circle"):
        walked(answer, paging=paging)


def test_a_link_that_is_none_is_a_body_that_cannot_be_used():
    with pytest.raises(ApiGaveUp, match="no address in next"):
        walked(lambda _: Answer('{"data":[1],"next":7}'), paging=JsonLink())


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ('<http://api.test/v1/stations?page=2>; rel="next"', "stations?page=2"),
        ("<http://api.test/v1/x>; rel=next", "x"),
        ('<?page=2>; rel="next"', "stations?page=2"),
        ('</v1/x?page=2>;rel="next"', "x?page=2"),
        ('<x>; rel="prev", <y>; title="Page, the; next"; rel="next"', "y"),
        ('<x>; rel="first next"', "x"),
        ('<x>; REL="Next"', "x"),
        ('<x;b?c=1;d=2,3>; rel="next"', "x;b?c=1;d=2,3"),
        ('<x>; rel="next"; rel="prev"', "x"),
        ('<x>; rel="prev"', None),
        ('<x>; rel="nextish"', None),
        ('<x>; title="rel=next"', None),
        ("<x>", None),
        ("x; rel=next", None),
        ("", None),
    ],
)
def test_a_link_header_leads_to_the_next_page(link, leads):
    answer = Response(b"[]", {"Link": link} if link else {}, "http://api.test/v1/stations")
    assert next_link(answer) == (leads and f"http://api.test/v1/{leads}")


# Details and totals


def test_a_list_that_does_not_name_its_records_is_told():
    with pytest.raises(ApiGaveUp, match=r"a record that does not say .*: KeyError"):
        walked(lambda _: Answer('{"data":[{"id":1}]}'), detail="{url}")


@dataclass(kw_only=True, eq=False)
class OwnApi(Api):
    """An API whose author has made a mistake."""

    fault: Callable[[Response], Any]

    def read(self, response):
        return self.fault(response)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (lambda answer: answer.json["rows"], "raised KeyError: 'rows'"),
        (lambda answer: None, "returned None where a list of records is needed"),
        (lambda answer: answer.json["data"], "returned what is no record: a JSON text"),
    ],
)
def test_a_mistake_of_a_parser_names_it_at_once(fault, said):
    api = OwnApi(title="", url="", fault=fault)
    with (
        asking(api, lambda _: Answer('{"data":[{"id":1}]}')) as (client, settings, server),
        pytest.raises(OwnCodeFailed) as caught,
    ):
        list(api.pages(client, settings, None))
    error = caught.value
    assert (error.function, error.file) == ("OwnApi.read", "tests/unit/test_pagination.py")
    assert error.doing == f"the records of {server.url}?per_page=3"
    assert error.problem.startswith(said)
    assert len(server.requests) == 1


def total_of(answer, **declared):
    """What an API tells of its records, and how it was asked."""
    api = Api(title="", url="", **declared)
    with asking(api, lambda _: answer) as (client, settings, server):
        return api.totals(client, settings).records, server.requests


@pytest.mark.parametrize(
    ("total", "body", "headers", "path", "query"),
    [
        (Total(url="count"), "7", {}, "/count", {}),
        (Total(header="X-Total"), "[]", {"X-Total": "7"}, "/stations", {"size": "3"}),
    ],
)
def test_the_total_may_be_a_whole_body_or_a_header(total, body, headers, path, query):
    """tests/sources has those in a field of the body."""
    answer, paging = Answer(body, headers=headers), HeaderLink(size="size")
    records, (request,) = total_of(answer, total=total, paging=paging)
    assert (records, request.path, request.query) == (7, path, query)


@pytest.mark.parametrize("told", [-1, 10**18, "many", None, True, [], 1.5])
def test_a_total_that_cannot_be_is_told(told):
    with pytest.raises(ApiGaveUp, match=r"total|literal"):
        total_of(Answer(json.dumps({"count": told})), total="count", paging=SinglePage())
