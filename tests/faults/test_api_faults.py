"""The API at its worst: a crawl is proved complete, or nothing is published."""

import json
import time

import pytest

from data.breweries.flow import FLOW
from data.medallion.source.errors import CrawlIncomplete, FatalApiError
from sandbox.faults import Faults
from tests.conftest import raw_get
from tests.world import breweries

EVERY_KIND = {
    **dict.fromkeys(("error_rate", "reset_rate", "cut_rate"), 0.07),
    "malformed_rate": 0.08,
    "busy_rate": 0.04,
    "retry_after_seconds": 1,
}
NEVER_COMPLETE = {
    "pages that shift in every crawl, since the data change": {
        "change_after": 3,
        "change_times": 999,
    },
    "records that the list lacks": {"drop": 3},
    "records listed twice, in place of others": {"drop": 3, "duplicate": 3},
    "every request answered with an error": {"error_rate": 1.0},
    "every body cut": {"cut_rate": 1.0},
    "every body of another form": {"malformed_rate": 1.0},
    "every connection reset": {"reset_rate": 1.0},
    "bodies that never end": {"drip_seconds": 60.0},
    "every request answered with 429, `Retry-After` 60 s": {"busy_rate": 1.0},
}


def assert_all_is_in_bronze(world):
    """Run, and see every record that the API serves."""
    world.run(test=False)
    bronze = json.loads(raw_get(world.lake, "bronze", FLOW.bronze.object))
    found, served = (
        sorted(json.dumps(record, sort_keys=True) for record in records)
        for records in (bronze, world.api.records)
    )
    assert found == served


def test_a_third_of_all_requests_fails_in_every_way(world, tell, every):
    # More tries than the default, since there are ten times as many pages as usual.
    world.set(BREWERIES_API_PAGE_SIZE=10, BREWERIES_API_ATTEMPTS=12, BREWERIES_STOP_ON="none")
    failed = 0
    for seed in range(5 if every else 1):
        world.api.records = breweries(600, seed)
        world.api.faults = Faults(rate_limit=0, seed=seed, **EVERY_KIND)
        before = len(world.api.requests)
        assert_all_is_in_bronze(world)
        failed += len(world.api.requests) - before - 62
    assert failed > 10
    tell("the API: errors of every kind, 30% of the requests", failed, "completes")


@pytest.mark.parametrize("name", NEVER_COMPLETE)
@pytest.mark.usefixtures("filled")
def test_what_cannot_be_proved_complete_is_not_published(world, tell, name):
    before, asked = world.published(), len(world.api.requests)
    world.api.records = breweries(500, seed=9)
    world.api.faults = Faults(rate_limit=0, **NEVER_COMPLETE[name])
    world.set(BREWERIES_API_PAGE_SIZE=50, BREWERIES_API_ATTEMPTS=3)
    world.set(BREWERIES_API_TIMEOUT_SECONDS=0.5, BREWERIES_API_TIME_LIMIT_SECONDS=8)
    log = world.fails(FatalApiError, "bronze")
    assert world.published() == before
    injected = len(world.api.requests) - asked
    tell(f"the API: {name}", injected, f"ends with `{log['exception_type']}`")


BEHIND_A_CACHE = ", behind a shared cache that heeds no request"


def change_in_mid_crawl(world, after, cached):
    """Serve data that change in mid-crawl, or from behind a shared cache that heeds no request."""
    world.set(BREWERIES_API_PAGE_SIZE=50, BREWERIES_STOP_ON="none")
    seconds = 300 if cached else 0
    world.api.faults = Faults(rate_limit=0, change_after=after, cache_seconds=seconds, seed=after)


@pytest.mark.parametrize("cached", ["", BEHIND_A_CACHE])
def test_data_that_change_once_under_the_crawl_are_crawled_anew(world, tell, every, cached):
    rounds = range(2, 12 if every else 4)
    for after in rounds:
        change_in_mid_crawl(world, after, cached)
        assert_all_is_in_bronze(world)
    assert not any(request.cached for request in world.api.requests)
    fault = f"the API: data that change in mid-crawl{cached}"
    tell(fault, len(rounds), "crawls anew, completes")


def test_without_an_address_of_its_own_each_crawl_would_be_answered_by_the_cache(world):
    change_in_mid_crawl(world, 4, BEHIND_A_CACHE)
    world.patch.setattr(FLOW.api, "unique", "")
    world.fails(CrawlIncomplete, "bronze")
    assert sum(request.cached for request in world.api.requests) > 20


def test_a_wait_of_a_minute_is_honoured_within_the_time_limit(world, tell, every):
    window = 60 if every else 3
    world.api.faults = Faults(rate_limit=4, rate_window_seconds=window)
    started = time.monotonic()
    world.run(test=False)
    assert time.monotonic() - started > window - 2
    busy = [r for r in world.api.requests if r.status == 429]
    assert 0 < len(busy) <= 4
    fault = f"the API: 429 with `Retry-After` up to {window} s"
    tell(fault, len(busy), "waits as long as asked, completes")
