"""Leases and conditional writes, on a real store."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.errors import ConditionsIgnored, LeaseHeld, LeaseLost, RaceWonTwice
from data.medallion.lake.lease import Lease, hold
from data.medallion.lake.manifest import Source, StoredObject, sha256
from data.medallion.lake.metadata import Origin
from data.medallion.settings import LakeSettings
from tests.conftest import raw_get


def lease_of(world, run="a", lease=0.4, limit=0, dataset=FLOW.silver):
    return hold(world.lake.store, dataset, run, lease, limit)


def test_of_many_writers_one_wins(world):
    for content in (None, b"first"):
        etag = world.lake.store.put_if("gold", "race", content, None) if content else None
        start = threading.Barrier(16)

        def write(number, start=start, etag=etag):
            start.wait()
            return world.lake.store.put_if("gold", "race", f"{number}".encode(), etag)

        with ThreadPoolExecutor(16) as pool:
            etags = list(pool.map(write, range(16)))
        (winner,) = (number for number, found in enumerate(etags) if found)
        assert world.lake.store.get("gold", "race") == (f"{winner}".encode(), etags[winner])
        world.lake.store.remove("gold", ["race"])


def test_a_write_on_what_is_gone_is_refused(world):
    etag = world.lake.store.put_if("gold", "gone", b"x", None)
    world.lake.store.remove("gold", ["gone"])
    assert world.lake.store.put_if("gold", "gone", b"y", etag) is None
    assert world.lake.store.get("gold", "gone") is None


def test_ones_own_write_sent_twice_is_no_conflict(world):
    etag = world.lake.store.put_if("gold", "own", b"x", None)
    assert world.lake.store.put_if("gold", "own", b"x", None) == etag


def test_a_lease_is_told_while_it_is_held_and_released(world):
    with lease_of(world, "me") as mine:
        mine.renew()
        assert json.loads(raw_get(world.lake, "silver", FLOW.silver.lease))["run"] == "me"
        with pytest.raises(LeaseHeld, match="Run me is writing silver/breweries"):
            lease_of(world).__enter__()
        with lease_of(world, dataset=FLOW.gold[0]):
            pass
    assert not world.lake.store.listed("silver", "leases/")
    with lease_of(world):
        pass


def test_a_lease_is_released_by_a_step_that_fails(world):
    with pytest.raises(KeyError), lease_of(world):
        raise KeyError
    assert not world.lake.store.listed("silver", "leases/")


def test_a_run_that_works_longer_than_its_lease_keeps_it(world):
    with lease_of(world, "slow", lease=0.4), pytest.raises(LeaseHeld):
        lease_of(world, "other", lease=0.4, limit=1.5).__enter__()
    with lease_of(world):
        pass


def test_a_dead_run_is_replaced_after_its_own_lease(world):
    dead = Lease(world.lake.store, FLOW.silver, "dead", 1.0)
    dead.acquire(0)
    started = time.monotonic()
    with lease_of(world, "heir", lease=0.2, limit=10) as heir:
        assert time.monotonic() - started >= 1.0
        dead.release()
        heir.renew()
        with pytest.raises(LeaseLost, match="acquired the lease of silver/breweries"):
            dead.renew()
        heir.renew()


def test_a_lease_that_cannot_be_read_is_a_dead_ones(world):
    world.lake.store.put("silver", FLOW.silver.lease, b"not json")
    with lease_of(world, lease=0.3, limit=5):
        pass


def test_a_publish_on_a_replaced_version_is_refused(world):
    origin = Origin("r", "s", Source(key="k", sha256="x"))
    old = world.lake.store.put_if("gold", "data/x", b"old", None)
    assert old
    there = world.lake.stat("gold", "data/x")
    world.lake.store.put("gold", "data/x", b"another")
    entry = StoredObject(key="data/x", rows=1, bytes=3, sha256=sha256(b"new"))
    with pytest.raises(LeaseLost, match="gold/data/x"):
        world.lake.publish("gold", entry, b"new", "text/plain", origin, there)
    assert raw_get(world.lake, "gold", "data/x") == b"another"


def test_a_dead_run_is_replaced_whatever_our_own_limit(world):
    Lease(world.lake.store, FLOW.silver, "dead", 0.8).acquire(0)
    with lease_of(world, "heir", lease=0.2, limit=0):
        pass


def test_a_renewal_whose_answer_was_lost_is_ones_own(world):
    with lease_of(world) as mine:
        etag = mine._etag
        mine.renew()
        mine._etag = etag  # as if the answer had not come
        mine.renew()


def test_an_answer_that_took_longer_than_the_lease_is_not_trusted(world):
    with lease_of(world, lease=0.4) as mine:
        put_if, slow = world.lake.store.put_if, [0.5, 0, 0]
        times = []

        def slowly(*arguments):
            found = put_if(*arguments)
            times.append(slow[0])
            time.sleep(slow.pop(0) if slow else 0)
            return found

        world.patch.setattr(world.lake.store, "put_if", slowly)
        mine.renew()
        world.patch.setattr(world.lake.store, "put_if", put_if)
    assert len(times) >= 2


def test_a_store_that_ignores_conditions_is_refused(world):
    def put_whatever_is_there(layer, key, content, etag):
        world.lake.store.put(layer, key, content)
        return "etag"

    world.patch.setattr(world.lake.store, "put_if", put_whatever_is_there)
    with pytest.raises(ConditionsIgnored, match="ignores conditional writes"):
        lease_of(world).__enter__()


def test_a_store_that_honours_conditions_only_one_at_a_time_is_refused(world):
    put, get = world.lake.store.put, world.lake.store.get

    def look_then_put(layer, key, content, etag):
        there = get(layer, key)
        if (there[1] if there else None) != etag:
            return None
        time.sleep(0.05)
        put(layer, key, content)
        return get(layer, key)[1]

    with lease_of(world) as mine:
        mine.race()
        world.patch.setattr(world.lake.store, "put_if", look_then_put)
        with pytest.raises(RaceWonTwice, match="of 4 racing conditional writes") as caught:
            mine.race()
        world.patch.undo()
    assert caught.value.winners > 1
    assert not world.lake.store.listed("silver", "leases/")


def test_writers_race_once_a_day(world):
    raced = []
    world.patch.setattr(Lease, "race", lambda lease: raced.append(lease))
    world.lake.store.put("silver", FLOW.silver.race, b"a crash in mid-race left this")
    for run in ("20261126T000000Z-a", "20261126T235959Z-b", "20261127T000000Z-c"):
        with hold(world.lake.store, FLOW.silver, run, 60, 1) as mine:
            mine.race_once_a_day()
    assert len(raced) == 2


def test_a_renewal_that_gets_no_answer_does_not_outlast_the_lease():
    settings = LakeSettings.model_construct(store_timeout=60.0, lease=15.0)
    assert settings.for_leases.store_timeout == 5.0
    assert settings.store_timeout == 60.0
