"""From page to page, by number, offset, cursor or link, and never in a circle."""

import json
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.records import split_array
from data.medallion.source.client import Client
from data.medallion.source.client import Response as Received
from data.medallion.source.errors import ApiLeadsAway, ApiLooped
from data.medallion.source.pagination import followed, linked, next_link, numbered, offset
from tests.answers import Answer, serving
from tests.stations import STATIONS

SIZE = 3


@pytest.fixture
def client(monkeypatch):
    """A client of an API that nobody serves; tests give pages themselves."""
    monkeypatch.setenv("STATIONS_API_CONNECTIONS", "2")
    with Client(STATIONS.load_settings()) as client:
        yield client


def items(numbers):
    return [(str(number), number) for number in numbers]


def flat(pages):
    return [value for page in pages for _, value in page]


class List:
    """A list in pages, that remembers which were asked for."""

    def __init__(self, length):
        self.length = length
        self.asked = []

    def from_to(self, start):
        self.asked.append(start)
        return items(range(start, min(start + SIZE, self.length)))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 6, 7, 30])
@pytest.mark.parametrize("told", ["nothing", "all", "fewer"])
def test_all_pages_are_had_whatever_the_total(client, length, told):
    total = {"nothing": 0, "all": length, "fewer": max(length - 4, 0)}[told]
    for pages in (
        lambda source: numbered(client, lambda n: source.from_to((n - 1) * SIZE), SIZE, total),
        lambda source: numbered(client, lambda n: source.from_to(n * SIZE), SIZE, total, first=0),
        lambda source: offset(client, source.from_to, SIZE, total),
    ):
        source = List(length)
        assert flat(pages(source)) == list(range(length))
        assert len(set(source.asked)) == len(source.asked) <= length // SIZE + 2


def test_a_server_that_ignores_the_number_is_noticed(client):
    with pytest.raises(ApiLooped, match="page 2 is page 1 again"):
        list(numbered(client, lambda _: items(range(SIZE)), SIZE))


def test_a_list_that_never_ends_does_where_a_total_is_told(client):
    numbers = count()
    pages = list(numbered(client, lambda _: items([next(numbers)] * SIZE), SIZE, total=6))
    assert len(pages) == 6


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_total_changes_nothing_but_the_order_of_asking(length, total):
    with Client(STATIONS.load_settings()) as client:
        found = flat(offset(client, List(length).from_to, SIZE, total))
    known = total // SIZE + 1
    assert found == list(range(min(length, 2 * known * SIZE) if total else length))


# Cursors


def test_cursors_are_followed_to_the_end(client):
    leads = {"": "b", "b": "c", "c": None}
    pages = followed(client, lambda cursor: (items([len(cursor)]), leads[cursor]), "")
    assert flat(pages) == [0, 1, 1]


@pytest.mark.parametrize("leads", [{1: 1}, {1: 2, 2: 1}, {1: 2, 2: 3, 3: 2}])
def test_a_circle_of_cursors_is_noticed(client, leads):
    with pytest.raises(ApiLooped, match=r"in a circle: . is where it leads to a second"):
        list(followed(client, lambda position: (items([position]), leads[position]), 1))


# Links


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ('<http://api.test/v1/stations?page=2>; rel="next"', "http://api.test/v1/stations?page=2"),
        ("<http://api.test/v1/x>; rel=next", "http://api.test/v1/x"),
        ('<?page=2>; rel="next"', "http://api.test/v1/stations?page=2"),
        ('</v1/x?page=2>;rel="next"', "http://api.test/v1/x?page=2"),
        ('<x>; rel="prev", <y>; title="Page, the; next"; rel="next"', "http://api.test/v1/y"),
        ('<x>; rel="first next"', "http://api.test/v1/x"),
        ('<x>; REL="Next"', "http://api.test/v1/x"),
        ('<x;b?c=1;d=2,3>; rel="next"', "http://api.test/v1/x;b?c=1;d=2,3"),
        ('<x>; rel="next"; rel="prev"', "http://api.test/v1/x"),
        ('<x>; rel="prev"', None),
        ('<x>; rel="nextish"', None),
        ('<x>; title="rel=next"', None),
        ("<x>", None),
        ("x; rel=next", None),
        ("", None),
    ],
)
def test_the_next_page_of_a_header(link, leads):
    headers = {"Link": link} if link else {}
    assert next_link(Received("[]", headers, "http://api.test/v1/stations")) == leads


def pages_of(server):
    settings = STATIONS.load_settings().model_copy(update={"api_url": server.url})
    with Client(settings, {"Authorization": "Bearer t-1"}) as client:
        yield from linked(client, server.url, {"size": 2}, lambda a: split_array(a.text))


def test_links_are_followed_with_the_query_that_they_have():
    def page(request):
        number = int(request.query.get("page", 1))
        link = {"Link": f'<?page={number + 1}&size=2>; rel="next"'} if number < 3 else {}
        return Answer(json.dumps([number, -number]), headers=link)

    with serving(page) as server:
        assert flat(pages_of(server)) == [1, -1, 2, -2, 3, -3]
    assert [request.query for request in server.requests] == [
        {"size": "2"},
        {"page": "2", "size": "2"},
        {"page": "3", "size": "2"},
    ]
    assert {request.headers["Authorization"] for request in server.requests} == {"Bearer t-1"}


def test_links_in_a_circle_are_noticed():
    def page(request):
        number = int(request.query.get("page", 1))
        return Answer(headers={"Link": f'<?page={number % 3 + 1}>; rel="next"'})

    with serving(page) as server, pytest.raises(ApiLooped, match="second time"):
        list(pages_of(server))
    assert len(server.requests) <= 5


def test_a_link_to_another_host_is_refused_and_no_token_sent_there():
    with serving(lambda _: Answer()) as other:
        away = Answer(headers={"Link": f'<{other.url}?page=2>; rel="next"'})
        with serving(lambda _: away) as server, pytest.raises(ApiLeadsAway) as caught:
            list(pages_of(server))
    assert other.requests == []
    assert caught.value.next == f"{other.url}?page=2"
    assert f"leads on to {other.url}?page=2, which is another host" in str(caught.value)
