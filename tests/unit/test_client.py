"""Asking an API politely: waits, tries, limits, tokens, and what an error names."""

import math
import secrets
import traceback
from contextlib import ExitStack
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.auth import HTTPBasicAuth

from data.medallion.errors import SettingError
from data.medallion.settings import known_secrets
from data.medallion.source import errors
from data.medallion.source.api import Api
from data.medallion.source.auth import ClientCredentials, Token
from data.medallion.source.bodies import Json
from data.medallion.source.client import Client, seconds_asked
from data.medallion.source.exchange import Request
from tests.answers import Answer, serving
from tests.stations import STATIONS


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setenv("STATIONS_API_ATTEMPTS", "1")
    monkeypatch.setenv("STATIONS_API_BACKOFF_SECONDS", "0.01")
    monkeypatch.setenv("STATIONS_API_REQUESTS_PER_MINUTE", "0")


@pytest.fixture
def asking(monkeypatch):
    """Starts a server that answers as it is told, and a client of it with the flow's headers."""
    with ExitStack() as stack:

        def start(answer=Answer(), declared=(), **more):  # noqa: B008
            server = stack.enter_context(serving(answer if callable(answer) else lambda _: answer))
            for name, value in {"API_URL": server.url, **more}.items():
                monkeypatch.setenv(f"STATIONS_{name}", str(value))
            client = Client(Api(title="", url="", **dict(declared)), STATIONS.load_settings())
            return server, stack.enter_context(client)

        yield start


def body(answer):
    return answer.text


def records(answer):
    return Json().records(answer)


def refused(server, client, kind, read=body, **query):
    """The error of a request, which names the address that a person can open."""
    with pytest.raises(errors.FatalApiError) as caught:
        client.send(Request(server.url, query), read)
    assert type(caught.value) is kind
    assert caught.value.url in str(caught.value)
    return caught.value


# Waits

NOW = "Sun, 06 Nov 1994 08:49:37 GMT"
WAITS = {
    0: ["0", "Sun, 06 Nov 1994 08:49:07 GMT"],
    0.5: [".5"],
    30: [
        "  Sun, 06 Nov 1994 08:50:07 GMT ", "Sunday, 06-Nov-94 08:50:07 GMT",
        "Sun Nov  6 08:50:07 1994", "Sun, 06 Nov 1994 09:50:07 +0100",
    ],
    60: [" 60\t"],
    1e30: ["9" * 30],
    None: [
        "", "soon", "-5", "nan", "9" * 400, "1,5", "Sun, 36 Nov 1994 08:49:07 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "seconds"), [(asked, seconds) for seconds, some in WAITS.items() for asked in some]
)
def test_a_wait_is_read_in_every_form_that_http_has(asked, seconds):
    assert seconds_asked({"Retry-After": asked, "Date": NOW}) == seconds


def test_a_wait_is_counted_from_the_date_of_the_answer_or_else_from_now():
    reset = {"X-RateLimit-Reset": "784111786"}
    assert seconds_asked({**reset, "Date": NOW}) == 9
    assert seconds_asked(reset) == 0
    assert seconds_asked({**reset, "Retry-After": "7"}) == 7
    assert seconds_asked({"Retry-After": NOW}) == 0
    assert seconds_asked({"Retry-After": "Sun, 06 Nov 2094 08:49:37 GMT", "Date": "-"}) > 1e9
    assert seconds_asked({}) is None


almost_dates = st.from_regex(r"(\w{3}, )?-?\d+[ -]\w{3}[ -]-?\d{1,6} \d+:\d+:\d+( [-+]?\d+)?")


@given(st.text() | st.floats().map(str) | almost_dates, st.just(NOW) | st.text())
def test_whatever_is_asked_a_wait_is_finite_and_never_negative(asked, date):
    seconds = seconds_asked({"Retry-After": asked, "Date": date})
    assert seconds is None or 0 <= seconds < math.inf


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(asking, status):
    server, client = asking(Answer(status=status), API_ATTEMPTS=3)
    error = refused(server, client, errors.ApiGaveUp)
    assert (len(server.requests), error.attempts) == (3, 3)
    assert (error.limit, error.setting) == ("STATIONS_API_ATTEMPTS is 3", "STATIONS_API_URL")
    assert error.__cause__.status == status


@pytest.mark.parametrize("status", [103, 301, 302, 400, 404, 409, 410, 422, 451])
def test_a_server_that_refuses_is_not_asked_again(asking, status):
    server, client = asking(Answer("no such page", status), API_ATTEMPTS=3)
    error = refused(server, client, errors.ApiRefused)
    assert (len(server.requests), error.status) == (1, status)
    assert error.settings == "STATIONS_API_URL and STATIONS_API_PAGE_SIZE"
    assert "(no such page)" in str(error) or status < 400


def test_a_wait_longer_than_the_time_left_is_not_waited(asking):
    busy = Answer(status=429, headers={"Retry-After": "3600"})
    server, client = asking(busy, API_ATTEMPTS=3)
    error = refused(server, client, errors.ApiGaveUp)
    assert (len(server.requests), error.__cause__.retry_after) == (1, 3600)
    assert error.limit == "STATIONS_API_TIME_LIMIT_SECONDS is 900"


def test_no_more_requests_are_sent_than_a_minute_allows(asking):
    limits = {"API_TIMEOUT_SECONDS": 3, "API_TIME_LIMIT_SECONDS": 3}
    server, client = asking(API_REQUESTS_PER_MINUTE=2, **limits)
    client.send(Request(server.url), body)
    client.send(Request(server.url), body)
    error = refused(server, client, errors.ApiGaveUp)
    assert "STATIONS_API_REQUESTS_PER_MINUTE" in error.last
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "cause"),
    [
        (Answer(status=500), errors.ApiGaveUp, errors.ApiBusy),
        (Answer(status=0), errors.ApiGaveUp, errors.ApiUnreachable),
        (Answer("{}"), errors.ApiGaveUp, errors.ApiBodyMalformed),
        (Answer("[1, 2"), errors.ApiGaveUp, errors.ApiBodyMalformed),
        (Answer(status=403), errors.ApiTokenRefused, type(None)),
        (Answer(status=404), errors.ApiRefused, type(None)),
    ],
)
def test_an_error_names_the_page_that_a_person_can_open(asking, answer, kind, cause):
    server, client = asking(answer, {"unique": "fresh"})
    error = refused(server, client, kind, records, page=7, sort="id:asc")
    assert error.url == f"{server.url}?page=7&sort=id%3Aasc"
    assert type(error.__cause__) is cause


def test_what_mage_was_handling_is_not_the_reason(asking):
    server, client = asking(Answer(status=0))
    try:
        raise RuntimeError("no running event loop")
    except RuntimeError:
        assert "event loop" not in str(refused(server, client, errors.ApiGaveUp))


# What is sent


def test_headers_of_a_flow_are_sent_with_each_request(asking):
    server, client = asking(declared={"headers": {"X-Key": "k", "Accept": "text/x"}})
    client.send(Request(server.url), body)
    sent = server.requests[0].headers
    assert (sent["X-Key"], sent["Accept"]) == ("k", "text/x")
    assert sent["User-Agent"].startswith("stations/")


def test_a_token_is_sent_as_a_header_and_shows_nowhere(asking):
    token = secrets.token_hex(12)
    server, client = asking(lambda r: Answer(r.headers["Authorization"], 400), API_TOKEN=token)
    settings = STATIONS.load_settings()
    assert token not in f"{settings!r} {settings} {settings.model_dump()}"
    error = refused(server, client, errors.ApiRefused)
    assert server.requests[0].headers["Authorization"] == f"Bearer {token}"
    told = "".join(traceback.format_exception(error))
    assert token in told
    assert token not in known_secrets().text(told)
    assert token not in str(known_secrets().value(error.facts))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("token", ["", "t-1"])
def test_a_login_that_is_asked_for_names_the_setting_of_the_token(asking, status, token):
    server, client = asking(Answer("who?", status), API_TOKEN=token, API_ATTEMPTS=3)
    error = refused(server, client, errors.ApiTokenRefused)
    assert ("Authorization" in server.requests[0].headers) == bool(token)
    assert (error.status, error.answer, error.setting) == (status, "who?", "STATIONS_API_TOKEN")
    assert error.problem == ("accepted" if token else "set")
    assert len(server.requests) == 1


def test_a_token_goes_to_no_other_host_and_along_no_redirect(asking):
    other, _ = asking()
    away = Answer(status=302, headers={"Location": other.url})
    ours, client = asking(away, API_TOKEN="t-1")
    for url in (other.url, ours.url.replace("http:", "https:")):
        with pytest.raises(errors.CrossHostLink) as caught:
            client.send(Request(url), body)
        assert (caught.value.next, caught.value.setting) == (url, "STATIONS_API_URL")
    assert ours.requests == []
    assert f"a redirect to {other.url}" in refused(ours, client, errors.ApiRefused).answer
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
    assert "t-1" not in str(refused(server, client, errors.ApiRefused, page=1))
    (request,) = server.requests
    assert request.query == (query or {"page": "1"})
    assert headers.items() <= request.headers.items()


@pytest.mark.parametrize(
    ("secret", "kind", "requests"),
    [
        ("secret", errors.ApiTokenRefused, 2),
        ("wrong", errors.ApiLoginFailed, 0),
        ("", SettingError, 0),
    ],
)
def test_a_login_that_fails_names_its_settings(asking, secret, kind, requests):
    """tests/sources has one that expires in mid-crawl."""

    def token(request):
        known = request.headers["Authorization"] == "Basic aWQ6c2VjcmV0"
        content = '{"access_token":"t","token_type":"bearer"}' if known else "{}"
        kind = {"Content-Type": "application/json"}
        return Answer(content, 200 if known else 401, kind)

    login = ClientCredentials(asking(token)[0].url)
    own = {"API_CLIENT_ID": "id", "API_CLIENT_SECRET": secret}
    server, client = asking(Answer(status=401), {"auth": login}, **own)
    with pytest.raises(kind, match="STATIONS_API_CLIENT_SECRET"):
        client.send(Request(server.url), body)
    assert len(server.requests) == requests


# What a status means


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"}, 8),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "8"}, "refused"),
    ],
)
def test_a_403_may_ask_to_wait(asking, headers, waited):
    server, client = asking(Answer(status=403, headers=headers))
    error = refused(
        server, client, errors.ApiTokenRefused if waited == "refused" else errors.ApiGaveUp
    )
    assert getattr(error.__cause__, "retry_after", "refused") == waited


def test_a_status_means_what_the_api_says(asking):
    meanings = {418: "wait", 503: "refusal", 400: "end", 203: "answer"}
    asked = {status: asking(Answer("x", status), {"statuses": meanings}) for status in meanings}
    for status, kind in ((418, errors.ApiGaveUp), (503, errors.ApiRefused)):
        server, client = asked[status]
        refused(server, client, kind)
    for status, found in ((400, "no more"), (203, "x")):
        server, client = asked[status]
        assert client.send(Request(server.url), body, after_last="no more") == found


def test_an_authority_that_is_no_file_is_a_setting(asking, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    with pytest.raises(SettingError, match="REQUESTS_CA_BUNDLE must be a file"):
        asking()


# Several requests


def test_no_two_requests_have_one_address_and_all_say_no_cache(asking):
    numbers = count()
    server, client = asking(
        lambda _: Answer("[" if next(numbers) % 3 else "[]"), {"unique": "fresh"}, API_ATTEMPTS=9
    )
    for page in (1, 2, 1, 2):
        client.send(Request(server.url, {"page": page}), records)
    asked = [tuple(sorted(request.query.items())) for request in server.requests]
    assert len(set(asked)) == len(asked) > 4
    assert {request.headers["Cache-Control"] for request in server.requests} == {"no-cache"}


def test_an_error_of_one_request_ends_them_all(asking):
    def answer(request):
        return Answer(status=404 if request.query["n"] == "3" else 200)

    server, client = asking(answer, API_CONNECTIONS=2)
    asked = client.in_order(lambda n: client.send(Request(server.url, {"n": n}), body), range(1000))
    with pytest.raises(errors.ApiRefused, match=r"\?n=3 "):
        list(asked)
    assert len(server.requests) < 20
