"""The local Open Brewery DB, over real HTTP on loopback; tests/faults has what it does to runs."""

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from subprocess import PIPE
from typing import Any

import pytest
import requests

from sandbox import ROOT
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.dataset import encode
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.programs import running

RECORDS = generate(430)
SPELLINGS = "NANO", "nano", "Nano"


@pytest.fixture
def api() -> Iterator[LocalBreweryApi]:
    with LocalBreweryApi(RECORDS, faults=Faults(rate_limit=0)) as api:
        yield api


def get(api: LocalBreweryApi, path: str = "", **parameters: Any) -> requests.Response:
    return requests.get(api.url + path, params=parameters, timeout=30)


@pytest.mark.parametrize("sort", ["", "id:asc"])
def test_the_pages_hold_every_record_once_in_their_order(api, sort):
    pages = [get(api, page=page, per_page=200, sort=sort).json() for page in range(1, 5)]
    assert [len(page) for page in pages] == [200, 200, 30, 0]
    expected = sorted(RECORDS, key=lambda record: record["id"]) if sort else RECORDS
    assert [*chain(*pages)] == expected
    assert [list(record) for record in get(api).json()] == [list(RECORDS[0])] * 50


@pytest.mark.parametrize(
    "parameters",
    [{"per_page": 201}, {"per_page": "1.0"}, {"page": 0}, {"sort": "name"}, {"by_dist": "1,2"}],
)
def test_an_argument_that_is_not_supported_is_refused(api, parameters):
    answer = get(api, fresh="1", **parameters)
    assert (answer.status_code, answer.json()["errors"]) == (422, list(parameters))


def test_meta_counts_the_records(api):
    api.records = [{**RECORDS[n], "brewery_type": kind} for n, kind in enumerate(SPELLINGS)]
    meta = get(api, "/meta").json()
    assert list(meta) == ["total", "by_state", "by_country", "by_type", "page", "per_page"]
    assert meta["total"] == 3
    # Of spellings that differ in case, the last one's count stays.
    assert meta["by_type"] == {"nano": 1}
    for name, field in (("by_state", "state"), ("by_country", "country")):
        assert meta[name] == Counter(record[field] for record in api.records)


def test_text_and_numbers_are_written_as_php_does():
    record = {"a": "Bräu/Haus", "b": 52.123456789012345, "c": 36.0, "d": [-0.1, None, True, 7]}
    expected = rb'{"a":"Br\u00e4u\/Haus","b":52.123456789012,"c":36,"d":[-0.1,null,true,7]}'
    assert encode(record) == expected


def test_a_client_over_the_limit_is_asked_to_wait_for_the_end_of_the_window(api):
    api.faults = Faults(rate_limit=2, rate_window_seconds=60)
    first, second, third = get(api), get(api, "/meta"), get(api)
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert 0 < int(third.headers["Retry-After"]) <= 60
    api.faults = Faults(rate_limit=2)
    assert get(api).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"error_rate": 1.5}, {"drip_seconds": -1}, {"drop": -1}, {"body": "odd"}]
)
def test_a_fault_that_cannot_be_is_refused_by_its_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)


def test_only_this_machine_is_served(api):
    assert api.url.startswith("http://127.0.0.1:")
    # All of 127.0.0.0/8 is this machine: a server on every address would answer at this one.
    with pytest.raises(requests.ConnectionError):
        requests.get(api.url.replace("127.0.0.1", "127.0.0.2"), timeout=30)


def test_an_interrupt_ends_the_command_and_the_response_under_way():
    options = ("--port", "0", "--count", "5", "--drip-seconds", "60")
    command = (sys.executable, "-m", "sandbox", "api", *options)
    with running(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as server:
        url = server.stdout.readline().split()[0].removeprefix("BREWERIES_API_URL=")
        answer = requests.get(url, timeout=30, stream=True)
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=30) == ("", "")
        assert server.returncode == 0
        with answer, pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = answer.content
