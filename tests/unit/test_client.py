"""Asking an API politely: waits, tries, limits, tokens, and what an error names."""

import json
import math
import secrets
import traceback
from contextlib import ExitStack
from itertools import count
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth

from data.medallion.errors import SettingError
from data.medallion.settings import known_secrets
from data.medallion.source.api import Api
from data.medallion.source.auth import ClientCredentials, Token
from data.medallion.source.bodies import Json
from data.medallion.source.client import Client, seconds_asked
from data.medallion.source.errors import (
    ApiBodyMalformed,
    ApiBusy,
    ApiGaveUp,
    ApiLoginFailed,
    ApiRefused,
    ApiTokenRefused,
    ApiUnreachable,
    CrossHostLink,
)
from data.medallion.source.exchange import Request
from tests.answers import Answer, serving
from tests.stations import STATIONS


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setenv("STATIONS_API_ATTEMPTS", "1")
    monkeypatch.setenv("STATIONS_API_BACKOFF_SECONDS", "0.3")
    monkeypatch.setenv("STATIONS_API_REQUESTS_PER_MINUTE", "0")


@pytest.fixture
def asking(monkeypatch):
    """Starts a server that answers as it is told, and a client of it with the flow's headers."""
    with ExitStack() as stack:

        def start(answer=Answer(), declared=MappingProxyType({}), **more):  # noqa: B008
            given = answer if callable(answer) else lambda _: answer
            server = stack.enter_context(serving(given))
            for name, value in {"API_URL": server.url, **more}.items():
                monkeypatch.setenv(f"STATIONS_{name}", str(value))
            client = Client(Api(title="", url="", **declared), STATIONS.load_settings())
            return server, stack.enter_context(client)

        yield start


def body(answer):
    return answer.text


def records(answer):
    return Json().records(answer)


def test_what_mage_was_handling_is_not_the_reason(monkeypatch):
    monkeypatch.setenv("STATIONS_API_URL", "http://127.0.0.1:9/stations")
    with Client(STATIONS.api, STATIONS.load_settings()) as client:
        try:
            raise RuntimeError("no running event loop")
        except RuntimeError:
            with pytest.raises(ApiGaveUp, match="refused"):
                client.send(Request("http://127.0.0.1:9/stations"), body)


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


def test_a_moment_of_a_reset_is_a_wait():
    reset = {"X-RateLimit-Reset": "784111786"}
    assert seconds_asked({**reset, "Date": NOW}) == 9
    assert seconds_asked(reset) == 0
    assert seconds_asked({**reset, "Retry-After": "7"}) == 7


def test_a_date_is_by_our_clock_where_the_answer_tells_no_time():
    assert seconds_asked({"Retry-After": NOW}) == 0
    assert seconds_asked({"Retry-After": "Sun, 06 Nov 2094 08:49:37 GMT", "Date": "-"}) > 1e9
    assert seconds_asked({}) is None


almost_dates = st.from_regex(r"(\w{3}, )?-?\d+[ -]\w{3}[ -]-?\d{1,6} \d+:\d+:\d+( [-+]?\d+)?")


@given(st.text() | st.floats().map(str) | almost_dates, st.just(NOW) | st.text())
def test_whatever_is_asked_a_wait_is_finite_and_never_negative(asked, date):
    seconds = seconds_asked({"Retry-After": asked, "Date": date})
    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_is_worth_another_try(asking, status):
    server, client = asking(Answer(status=status), API_ATTEMPTS=3, API_BACKOFF_SECONDS=0.01)
    with pytest.raises(ApiGaveUp, match=f"HTTP {status}") as caught:
        client.send(Request(server.url), body)
    assert len(server.requests) == caught.value.attempts == 3
    assert "STATIONS_API_ATTEMPTS is 3" in str(caught.value)
    assert "check STATIONS_API_URL" in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 409, 410, 422, 451])
def test_what_is_not(asking, status):
    server, client = asking(Answer(status=status), API_ATTEMPTS=3)
    with pytest.raises((ApiRefused, ApiTokenRefused), match=f"HTTP {status}"):
        client.send(Request(server.url), body)
    assert len(server.requests) == 1


def test_what_is_refused_names_the_settings_that_may_be_wrong(asking):
    server, client = asking(Answer("no such page", 404))
    with pytest.raises(ApiRefused) as caught:
        client.send(Request(server.url), body)
    assert "(no such page)" in str(caught.value)
    assert "check STATIONS_API_URL and STATIONS_API_PAGE_SIZE" in str(caught.value)


def test_a_wait_longer_than_the_time_left_is_told(asking):
    busy = Answer(status=429, headers={"Retry-After": "3600"})
    server, client = asking(busy, API_ATTEMPTS=3)
    with pytest.raises(ApiGaveUp, match="HTTP 429 and asks us to wait 3600 s") as caught:
        client.send(Request(server.url), body)
    assert len(server.requests) == 1
    assert "STATIONS_API_TIME_LIMIT_SECONDS is 900" in str(caught.value)


def test_no_more_requests_are_sent_than_a_minute_allows(asking):
    limits = {"API_TIMEOUT_SECONDS": 1, "API_TIME_LIMIT_SECONDS": 1}
    server, client = asking(API_REQUESTS_PER_MINUTE=2, **limits)
    client.send(Request(server.url), body)
    client.send(Request(server.url), body)
    with pytest.raises(ApiGaveUp, match="STATIONS_API_REQUESTS_PER_MINUTE allows no"):
        client.send(Request(server.url), body)
    assert len(server.requests) == 2


# What an error names

PAGE = r"/stations\?page=7&per_page=200&sort=id%3Aasc"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(status=500), ApiBusy),
        (Answer(status=429), ApiBusy),
        (Answer(status=0), ApiUnreachable),
        (Answer("{}"), ApiBodyMalformed),
        (Answer("[1, 2"), ApiBodyMalformed),
        (Answer("<html>"), ApiBodyMalformed),
        (Answer(status=403), None),
        (Answer(status=404), None),
    ],
)
def test_an_error_names_the_page_that_a_person_can_open(asking, answer, cause):
    asked = {"page": 7, "per_page": 200, "sort": "id:asc"}
    server, client = asking(answer)
    with pytest.raises((ApiGaveUp, ApiRefused, ApiTokenRefused), match=PAGE) as caught:
        client.send(Request(server.url, asked), records)
    assert caught.value.url.startswith(server.url + "?page=7&")
    assert "fresh" not in str(caught.value)
    assert type(caught.value.__cause__) is (cause or type(None))


# Headers


def test_what_reads_an_answer_is_given_its_headers_and_its_address(asking):
    server, client = asking(Answer("é", headers={"X-Total": "7"}))
    answer = client.send(Request(server.url, {"page": 2}), lambda answer: answer)
    assert (answer.text, answer.url) == ("é", server.url)
    assert answer.headers["x-total"] == "7"


def test_headers_of_a_flow_are_sent_with_each_request():
    settings = STATIONS.load_settings()
    with serving(lambda _: Answer()) as server:
        own = settings.model_copy(update={"api_url": server.url})
        api = Api(title="", url="", headers={"X-Key": "k", "Accept": "text/x"})
        with Client(api, own) as client:
            client.send(Request(server.url), body)
    sent = server.requests[0].headers
    assert (sent["X-Key"], sent["Accept"]) == ("k", "text/x")
    assert sent["User-Agent"].startswith("stations/")


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_none_is_sent(asking, token):
    server, client = asking(**{} if token is None else {"API_TOKEN": token})
    client.send(Request(server.url), body)
    assert "Authorization" not in server.requests[0].headers


def test_a_token_is_sent_as_a_header_and_shows_nowhere(asking):
    token = secrets.token_hex(12)
    server, client = asking(lambda r: Answer(r.headers["Authorization"], 400), API_TOKEN=token)
    settings = STATIONS.load_settings()
    assert token not in f"{settings!r} {settings} {settings.model_dump()}"
    with pytest.raises(ApiRefused) as caught:
        client.send(Request(server.url), body)
    assert server.requests[0].headers["Authorization"] == f"Bearer {token}"
    told = "".join(traceback.format_exception(caught.value))
    assert token in told
    assert token not in known_secrets().text(told)
    assert token not in str(known_secrets().value(caught.value.facts))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("token", "problem"), [("", "is not set"), ("t-1", "is not accepted")])
def test_a_login_that_is_asked_for_names_the_setting_of_the_token(asking, status, token, problem):
    server, client = asking(Answer("who?", status), API_TOKEN=token, API_ATTEMPTS=3)
    with pytest.raises(ApiTokenRefused) as caught:
        client.send(Request(server.url), body)
    assert len(server.requests) == 1
    assert f"HTTP {status} (who?), and STATIONS_API_TOKEN {problem}; set it to" in str(caught.value)
    assert token == "" or token not in str(caught.value)


def test_a_token_goes_to_no_other_host(asking):
    other, _ = asking()
    ours, client = asking(API_TOKEN="t-1")
    with pytest.raises(CrossHostLink, match="set STATIONS_API_URL to it") as caught:
        client.send(Request(other.url), body)
    with pytest.raises(CrossHostLink):
        client.send(Request(ours.url.replace("http:", "https:")), body)
    assert caught.value.next == other.url
    assert other.requests == ours.requests == []


def test_a_redirect_is_not_followed_so_that_no_token_goes_along(asking):
    other, _ = asking()
    away = Answer(status=302, headers={"Location": other.url})
    ours, client = asking(away, API_TOKEN="t-1")
    with pytest.raises(ApiRefused, match=f"a redirect to {other.url}"):
        client.send(Request(ours.url), body)
    assert other.requests == []


@pytest.mark.parametrize(
    ("login", "query", "headers"),
    [
        (Token("X-App-Token"), {}, {"X-App-Token": "t-1"}),
        (Token("api_key", place="query"), {"api_key": "t-1", "page": "1"}, {}),
        (Token(scheme="Token"), {}, {"Authorization": "Token t-1"}),
        (lambda s: HTTPBasicAuth("me", s.own("PASSWORD")), {}, {"Authorization": "Basic bWU6cA=="}),
    ],
)
def test_a_login_is_sent_as_it_is_declared(asking, login, query, headers):
    server, client = asking(Answer("", 400), {"auth": login}, API_TOKEN="t-1", PASSWORD="p")
    with pytest.raises(ApiRefused) as caught:
        client.send(Request(server.url, {"page": 1}), body)
    (request,) = server.requests
    assert request.query == (query or {"page": "1"})
    assert headers.items() <= request.headers.items()
    assert "t-1" not in str(caught.value)


class Tokens:
    """A server that gives tokens to a program that it knows, each good for some requests."""

    def __init__(self, each):
        self.given = self.used = 0
        self.each = each

    def answer(self, request):
        if request.path.endswith("/token"):
            if request.headers["Authorization"] != "Basic aWQ6c2VjcmV0":
                return Answer('{"error":"invalid_client"}', 401)
            self.given, self.used = self.given + 1, 0
            token = {"access_token": f"t-{self.given}", "token_type": "bearer", "expires_in": 60}
            return Answer(json.dumps(token), headers={"Content-Type": "application/json"})
        self.used += 1
        known = request.headers["Authorization"] == f"Bearer t-{self.given}"
        return Answer("x", 200 if known and self.used <= self.each else 401)


def with_tokens(asking, tokens, secret="secret"):  # noqa: S107
    where = asking(tokens.answer)[0].url
    login = ClientCredentials(f"{where}/token")
    own = {"API_CLIENT_ID": "id", "API_CLIENT_SECRET": secret, "API_CONNECTIONS": 1}
    return asking(tokens.answer, {"auth": login}, **own)


def test_a_login_that_expires_in_mid_crawl_is_made_anew(asking):
    tokens = Tokens(each=3)
    server, client = with_tokens(asking, tokens)
    asked = (Request(server.url, {"n": n}) for n in range(10))
    found = client.in_order(lambda request: client.send(request, body), asked)
    assert list(found) == ["x"] * 10
    assert tokens.given >= 4


def test_a_login_that_is_refused_even_so_names_its_settings(asking):
    tokens = Tokens(each=0)
    server, client = with_tokens(asking, tokens)
    with pytest.raises(ApiTokenRefused, match=r"STATIONS_API_CLIENT_ID and \w+_API_CLIENT_SECRET"):
        client.send(Request(server.url), body)
    assert (tokens.given, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(("secret", "error"), [("wrong", ApiLoginFailed), ("", SettingError)])
def test_a_login_that_cannot_be_made_names_its_settings(asking, secret, error):
    server, client = with_tokens(asking, Tokens(each=1), secret)
    with pytest.raises(error, match="STATIONS_API_CLIENT_SECRET"):
        client.send(Request(server.url), body)
    assert server.requests == []


# What a status means


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"}, 8),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "8"}, "refused"),
        ({}, "refused"),
    ],
)
def test_a_403_may_ask_to_wait(asking, headers, waited):
    server, client = asking(Answer(status=403, headers=headers))
    with pytest.raises((ApiGaveUp, ApiTokenRefused)) as caught:
        client.send(Request(server.url), body)
    cause = caught.value.__cause__
    assert (cause.retry_after if isinstance(cause, ApiBusy) else "refused") == waited


@pytest.mark.parametrize(("meant", "error"), [("wait", ApiGaveUp), ("refusal", ApiRefused)])
def test_a_status_means_what_the_api_says(asking, meant, error):
    server, client = asking(Answer(status=418), {"statuses": {418: meant}})
    with pytest.raises(error, match="HTTP 418"):
        client.send(Request(server.url), body)


def test_a_status_may_be_the_end_or_an_answer(asking):
    server, client = asking(Answer("x", status=400), {"statuses": {400: "end"}})
    assert client.send(Request(server.url), body, after_last="no more") == "no more"
    server, client = asking(Answer("x", status=203), {"statuses": {203: "answer"}})
    assert client.send(Request(server.url), body) == "x"


def test_an_early_hint_is_refused_and_its_connection_left(asking):
    server, client = asking(Answer("late", 103))
    with pytest.raises(ApiRefused, match="HTTP 103"):
        client.send(Request(server.url), body)


def test_an_authority_that_is_no_file_is_a_setting(asking, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with pytest.raises(SettingError, match="REQUESTS_CA_BUNDLE must be a file"):
        asking()


# Caches


def test_no_two_requests_have_one_address_and_all_say_no_cache(asking):
    numbers = count()
    server, client = asking(
        lambda _: Answer("[" if next(numbers) % 3 else "[]"),
        {"unique": "fresh"},
        API_ATTEMPTS=9,
        API_BACKOFF_SECONDS=0,
    )
    for page in (1, 2, 1, 2):
        client.send(Request(server.url, {"page": page}), records)
    asked = [tuple(sorted(request.query.items())) for request in server.requests]
    assert len(set(asked)) == len(asked) > 4
    assert {request.headers["Cache-Control"] for request in server.requests} == {"no-cache"}


def test_where_a_server_would_refuse_it_nothing_is_sent_besides(asking):
    server, client = asking()
    client.send(Request(server.url, {"page": 1}), body)
    assert server.requests[0].query == {"page": "1"}


# Several at a time


@pytest.mark.parametrize("connections", [1, 3])
def test_answers_come_in_the_order_of_their_questions(asking, connections):
    server, client = asking(lambda r: Answer(r.query["n"]), API_CONNECTIONS=connections)
    found = client.in_order(lambda n: client.send(Request(server.url, {"n": n}), body), range(20))
    assert list(found) == list(map(str, range(20)))


def test_an_error_ends_them_all(asking):
    def answer(request):
        return Answer(status=404 if request.query["n"] == "3" else 200)

    server, client = asking(answer, API_CONNECTIONS=2)
    with pytest.raises(ApiRefused, match=r"\?n=3 "):
        list(
            client.in_order(lambda n: client.send(Request(server.url, {"n": n}), body), range(1000))
        )
    assert len(server.requests) < 20
