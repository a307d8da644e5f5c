"""The local Open Brewery DB, over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.encoding import encode
from sandbox.breweries.generator import KEYS, generate
from sandbox.cache import SharedCache
from sandbox.faults import Faults, RateLimiter
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
UNLIMITED = Faults(rate_limit=0)
RECORDS = generate(1_030)
JSON = {"Accept": "application/json"}


def brewery(number: int, **fields: Any) -> dict[str, Any]:
    """A record with all keys, null but for the given."""
    return {
        **dict.fromkeys(KEYS),
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Brewery {number}",
        **fields,
    }


FEW = [
    brewery(3, country="Scotland", brewery_type="micro", postal_code="0101"),
    brewery(1, country="Scotland", brewery_type="nano", postal_code="EH1"),
    brewery(4, country="Österreich", brewery_type="Micro", postal_code=None),
    brewery(2, country="Isle of Man", brewery_type=None),
]


@pytest.fixture(scope="module")
def running() -> Iterator[LocalBreweryApi]:
    with LocalBreweryApi(RECORDS, faults=UNLIMITED) as api:
        yield api


@pytest.fixture
def api(running: LocalBreweryApi) -> LocalBreweryApi:
    """A server of `RECORDS` without faults; a test may change both."""
    running.records = RECORDS
    running.faults = UNLIMITED
    return running


def get(api: LocalBreweryApi, path: str = "", **parameters: Any) -> requests.Response:
    return requests.get(api.url + path, params=parameters, headers=JSON, timeout=5)


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]


def crawl(api: LocalBreweryApi, per_page: int = 200, **parameters: Any) -> list[Any]:
    """All records of the list, page by page until one is empty."""
    records: list[Any] = []
    page = 1
    while found := get(api, page=page, per_page=per_page, **parameters).json():
        records += found
        page += 1
    return records


# The list


def test_list_pages_hold_every_record_once_in_the_given_order(api: LocalBreweryApi) -> None:
    assert crawl(api) == RECORDS
    assert [list(record) for record in get(api).json()] == [list(KEYS)] * 50
    assert len(get(api, page=6, per_page=200).json()) == 30
    assert get(api, page=7, per_page=200).json() == []


# What is refused


@pytest.mark.parametrize(
    "parameters",
    [{"per_page": 201}, {"per_page": "1.0"}, {"page": 0}, {"sort": "name:up"}, {"by_dist": "1,2"}],
)
@pytest.mark.parametrize("path", ["", "/meta"])
def test_invalid_arguments_are_422(
    api: LocalBreweryApi, path: str, parameters: dict[str, Any]
) -> None:
    answer = get(api, path, **parameters)
    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == parameters.keys()


# Meta


def test_meta_counts_the_records(api: LocalBreweryApi) -> None:
    meta = get(api, "/meta", page=3, per_page=7).json()
    assert list(meta) == ["total", "by_state", "by_country", "by_type", "page", "per_page"]
    assert (meta["total"], meta["page"], meta["per_page"]) == (len(RECORDS), 3, 7)
    for name, field in (("by_state", "state"), ("by_country", "country")):
        assert meta[name] == Counter(record[field] for record in RECORDS)


def test_meta_lowers_types_and_the_last_of_equal_ones_stays(api: LocalBreweryApi) -> None:
    api.records = [*FEW, brewery(5, brewery_type="Micro"), brewery(6, brewery_type="NANO")]
    assert get(api, "/meta").json()["by_type"] == {"micro": 1, "nano": 1}


# How records are written


def test_text_and_numbers_are_written_as_php_does() -> None:
    record = {"a": "Bräu/Haus", "b": 52.123456789012345, "c": 36.0, "d": [-0.1, None, True, 7]}
    expected = rb'{"a":"Br\u00e4u\/Haus","b":52.123456789012,"c":36,"d":[-0.1,null,true,7]}'
    assert encode(record) == expected


# Faults; tests/faults sees that the others keep a run from its end


def test_rate_limit_answers_429_until_the_window_ends(api: LocalBreweryApi) -> None:
    api.faults = Faults(rate_limit=2, rate_window_seconds=1)
    asked = time.time()
    first, second, third = get(api), get(api, "/meta"), get(api)
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    remaining = [a.headers["X-RateLimit-Remaining"] for a in (first, second, third)]
    assert remaining == ["1", "0", "0"]
    assert third.headers["X-RateLimit-Limit"] == "2"
    assert third.headers["Retry-After"] == "1"
    assert asked <= int(third.headers["X-RateLimit-Reset"]) <= time.time() + 2
    time.sleep(1)
    assert get(api).status_code == 200


def test_rate_limiter_counts_each_client_in_windows_that_its_first_request_starts() -> None:
    now = [100.0]
    limiter = RateLimiter(2, 60, clock=lambda: now[0])
    assert [limiter.hit("a"), limiter.hit("b"), limiter.hit("a")] == [
        (1, None),
        (1, None),
        (0, None),
    ]
    now[0] = 150.0
    assert limiter.hit("a") == (0, 10.0)
    now[0] = 160.0
    assert limiter.hit("a") == (1, None)


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("seconds", "3"),
        ("blanks", "3  "),  # the HTTP client takes away the blanks before it
        ("fraction", r"2\.625"),
        ("date", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
        ("rfc850", r"\w{6,9}, \d\d-\w{3}-\d\d \d\d:\d\d:\d\d GMT"),
        ("asctime", r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}"),
        ("negative", "-3"),
        ("words", "in a moment"),
    ],
)
def test_a_wait_is_asked_for_in_each_form(api: LocalBreweryApi, form: Any, pattern: str) -> None:
    api.faults = Faults(busy_rate=1, retry_after_seconds=2.5, retry_after=form)
    assert re.fullmatch(pattern, get(api).headers["Retry-After"])


def test_a_shared_cache_answers_by_the_whole_address(api: LocalBreweryApi) -> None:
    api.faults = Faults(rate_limit=0, cache_seconds=60)
    told = {path: get(api, path).json() for path in ("", "/meta")}
    api.records = FEW
    for path in told:
        again = requests.get(
            api.url + path, headers={**JSON, "Cache-Control": "no-cache"}, timeout=5
        )
        assert again.json() == told[path]
        assert again.headers["Age"] == "0"
        assert api.requests[-1].cached
        other = get(api, path, fresh="1")
        assert other.json() != told[path]
        assert "Age" not in other.headers
        assert not api.requests[-1].cached
    api.faults = Faults(rate_limit=0, cache_seconds=60)
    assert get(api, "/meta").json()["total"] == len(FEW)


def test_a_shared_cache_keeps_an_answer_for_so_long_and_never_past_its_max_age() -> None:
    now = [100.0]
    for most, ends in ((7, 7), (9000, 300)):
        cache = SharedCache(most, clock=lambda: now[0])
        now[0] = 100.0
        cache.keep("/a", b"x", "text/plain", "etag, max-age=300, public")
        now[0] = 100.0 + ends - 0.5
        found = cache.find("/a")
        assert found is not None
        assert (found[0].body, found[1]) == (b"x", ends - 1)
        now[0] = 100.0 + ends
        assert cache.find("/a") is None
    for private in ("no-cache, private", "max-age=300, private", "public"):
        cache.keep("/b", b"x", "text/plain", private)
        assert cache.find("/b") is None


def test_first_answers_to_each_page_fail(api: LocalBreweryApi) -> None:
    api.faults = Faults(rate_limit=0, fail_first=2)
    for page in (1, 2):
        assert [get(api, page=page).status_code for _ in range(4)] == [503, 503, 200, 200]
    assert get(api, "/meta").status_code == 200


def test_a_body_that_drips_takes_its_time_and_is_whole(api: LocalBreweryApi) -> None:
    whole = get(api).content
    api.faults = Faults(rate_limit=0, drip_seconds=1)
    with requests.Session() as session:
        started = time.monotonic()
        # The timeout is one of each read: only the whole takes longer.
        answer = session.get(api.url, headers=JSON, timeout=0.8, stream=True)
        assert answer.content == whole
        assert time.monotonic() - started >= 1
        assert answer.headers["Content-Length"] == str(len(whole))
        # On one connection, so that the second waits for the end of the first.
        assert session.head(api.url, headers=JSON, timeout=1.5).status_code == 200
        assert session.get(api.url + "/meta", headers=JSON, timeout=1.5).status_code == 200


def test_old_shapes_of_meta_and_coordinates(api: LocalBreweryApi) -> None:
    api.records = [brewery(1, longitude=-97.5, latitude=36), brewery(2)]
    api.faults = Faults(rate_limit=0, old_meta=True, string_coordinates=True)
    assert get(api, "/meta", page=2).json() == {"total": "2", "page": "2", "per_page": "50"}
    listed = [(record["longitude"], record["latitude"]) for record in get(api).json()]
    assert listed == [("-97.5", "36"), (None, None)]


def test_data_that_change_under_a_crawl_hide_a_record_from_it(api: LocalBreweryApi) -> None:
    before = get(api, "/meta").json()
    api.faults = Faults(rate_limit=0, change_after=2)
    listed = ids(crawl(api, sort="id:asc"))
    after = get(api, "/meta").json()
    now = ids(api.records)
    assert len(set(now) - set(ids(RECORDS))) == len(set(ids(RECORDS)) - set(now)) == 1
    changed = [new for new in api.records if new["id"] in ids(RECORDS) and new not in RECORDS]
    assert len(changed) == 1
    # Counting does not show it: the numbers agree, and yet a record of now is missing.
    assert len(set(listed)) == len(listed) == before["total"] == after["total"]
    assert len(set(now) - set(listed)) == 1


@pytest.mark.parametrize(("times", "expected"), [(0, 0), (1, 1), (3, 3)])
def test_data_change_as_often_as_told(api: LocalBreweryApi, times: int, expected: int) -> None:
    api.faults = Faults(rate_limit=0, change_after=2, change_times=times)
    for _ in range(10):
        get(api, per_page=1)
    assert len(set(ids(api.records)) - set(ids(RECORDS))) == expected


def test_latency_delays_answers_and_lets_them_overlap() -> None:
    with LocalBreweryApi(FEW, faults=Faults(latency_seconds=0.1)) as api:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: get(api), range(6)))
        assert api.most_at_once == 3
        assert all((request.finished or 0) - request.started >= 0.1 for request in api.requests)


@pytest.mark.parametrize(
    "wrong", [{"error_rate": 1.5}, {"drip_seconds": -1}, {"drop": -1}, {"body": "odd"}]
)
def test_faults_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)


# The server


def test_a_request_under_way_neither_blocks_others_nor_the_stop() -> None:
    with ThreadPoolExecutor(1) as pool:
        with LocalBreweryApi(FEW, faults=Faults(latency_seconds=60)) as api:
            waiting = pool.submit(get, api)
            while not api.requests:
                time.sleep(0.01)
            api.faults = Faults()
            assert get(api).status_code == 200
            assert api.requests[0].finished is None
        # Had the stop waited, it would be answered.
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    with pytest.raises(requests.ConnectionError):
        get(api)


def handlers_at_work() -> int:
    tasks = (found for found in gc.get_objects() if isinstance(found, asyncio.Task))
    return sum(t.get_coro().__name__ == "_execute" and not t.done() for t in tasks)


@pytest.mark.parametrize("records", [[], RECORDS], ids=["before a piece", "between many"])
def test_a_dripping_answer_ends_when_its_client_leaves(
    records: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    with LocalBreweryApi(records, faults=Faults(drip_seconds=60)) as api:
        with requests.get(api.url, headers=JSON, timeout=5, stream=True) as answer:
            assert answer.status_code == 200
            assert handlers_at_work() == 1
        wait_for(lambda: not handlers_at_work(), 30, 0.01)
        assert get(api, "/meta").status_code == 200
    assert caplog.records == []


def test_only_this_machine_is_served(api: LocalBreweryApi) -> None:
    assert api.url.startswith("http://127.0.0.1:")
    # All of 127.0.0.0/8 is this machine: a server on every address would answer at this one.
    with pytest.raises(requests.ConnectionError):
        requests.get(api.url.replace("127.0.0.1", "127.0.0.2"), timeout=2)


@contextmanager
def command_line(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server started by `python -m sandbox api`, and its url."""
    command = [sys.executable, "-m", "sandbox", "api", "--port", "0", "--count", "5", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            yield server, server.stdout.readline().split()[0].removeprefix("BREWERIES_API_URL=")
        finally:
            server.kill()


def test_the_command_line_makes_bodies_drip_and_still_ends_cleanly() -> None:
    with command_line("--drip-seconds", "60") as (server, url):
        answer = requests.get(url, headers=JSON, timeout=5, stream=True)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=5) == ("", "")
        assert server.returncode == 0
        with answer, pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = answer.content
