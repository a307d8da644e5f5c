"""Leases, on a real store."""

import json
import time

import pytest

from data.medallion.context import FlowContext
from data.medallion.lake.errors import LeaseHeld, StoreBusy
from data.medallion.lake.lease import Lease, hold
from data.medallion.settings import LakeSettings, Settings
from data.medallion.stages import SILVER
from tests.conftest import raw_get
from tests.stations import STATIONS
from tests.waiting import wait_for


def lease_of(site, run="a", lease=2.0, limit=0, dataset=STATIONS.silver):
    return hold(site.lake.store, dataset, run, lease, limit)


def is_released(site):
    return STATIONS.silver.lease not in site.lake.store.listed("silver", "leases/")


def test_a_lease_is_told_while_it_is_held_and_released(site):
    with lease_of(site, "me") as mine:
        assert mine.renew()
        assert json.loads(raw_get(site.lake, "silver", STATIONS.silver.lease))["run"] == "me"
        with pytest.raises(LeaseHeld, match="Run me is writing silver/stations"):
            lease_of(site).__enter__()
        with lease_of(site, dataset=STATIONS.gold[0]):
            pass
    assert is_released(site)
    with lease_of(site):
        pass


def test_a_lease_is_released_by_a_step_that_fails(site):
    with pytest.raises(KeyError), lease_of(site):
        raise KeyError
    assert is_released(site)


def test_a_run_that_works_longer_than_its_lease_keeps_it(site):
    # The other one would wait for its own, longer lease; that it does not shows the renewals.
    with lease_of(site, "slow", lease=0.4), pytest.raises(LeaseHeld):
        lease_of(site, "other", lease=60, limit=1).__enter__()
    with lease_of(site):
        pass


def test_a_dead_run_is_replaced_after_its_own_lease(site):
    dead = Lease(site.lake.store, STATIONS.silver, "dead", 1.0)
    dead.acquire(0)
    started = time.monotonic()
    with lease_of(site, "heir", lease=0.2, limit=0) as heir:  # whatever our own limit
        assert time.monotonic() - started >= 1.0
        dead.release()
        assert not dead.renew()
        assert heir.renew()


def test_a_lease_that_cannot_be_read_is_a_dead_ones(site):
    site.lake.store.put("silver", STATIONS.silver.lease, b"not json")
    with lease_of(site, lease=0.3, limit=5):
        pass


@pytest.mark.parametrize("run", ["20260102T000000Z-aaaaaa", "20260101T000000Z-bbbbbb"])
def test_a_block_that_may_have_begun_before_in_its_run_uses_names_of_its_own(site, run):
    site.set(LAKE_LEASE_SECONDS=0.4)
    Lease(site.lake.store, STATIONS.silver, run, 0.2).acquire(0)
    ours, made_from = "20260101T000000Z-bbbbbb", STATIONS.bronze.entry(1)
    settings = Settings(LakeSettings.load(), STATIONS.load_settings())
    context = FlowContext(site.lake, None, STATIONS)
    with SILVER.step(context, ours, settings, site.lake.store, made_from) as step:
        assert (step.writer.writer_id == ours) == (run != ours)


def test_a_lease_whose_answer_was_lost_is_ones_own(site):
    """The store created it, but refuses it when the request comes again."""
    create = site.lake.store.create
    site.patch.setattr(site.lake.store, "create", lambda *a: create(*a) and False)
    with lease_of(site) as mine:
        assert mine.renew()


def test_a_renewal_that_fails_ends_no_step(site):
    def fail(*_):
        tried.append(1)
        raise StoreBusy("store", "read", "503")

    tried = []
    with lease_of(site, lease=0.4) as mine:
        site.patch.setattr(mine, "renew", fail)
        wait_for(lambda: len(tried) >= 2, pause=0.05)
    assert is_released(site)


def test_a_run_that_lost_its_lease_renews_no_other(site):
    with lease_of(site, "slow", lease=0.4) as mine:
        site.lake.store.remove("silver", [STATIONS.silver.lease])
        Lease(site.lake.store, STATIONS.silver, "other", 60).acquire(0)
        time.sleep(0.3)
        assert not mine.renew()
    assert json.loads(raw_get(site.lake, "silver", STATIONS.silver.lease))["run"] == "other"


def test_writers_race_once_a_day(site):
    raced = []
    site.patch.setattr(Lease, "race", lambda lease: raced.append(lease))
    site.lake.store.put("silver", STATIONS.silver.race, b"a crash in mid-race left this")
    for run in ("20261126T000000Z-a", "20261126T235959Z-b", "20261127T000000Z-c"):
        with hold(site.lake.store, STATIONS.silver, run, 60, 1) as mine:
            mine.verify_conditional_writes()
    assert len(raced) == 2


def test_a_renewal_that_gets_no_answer_does_not_outlast_the_lease():
    settings = LakeSettings.model_construct(store_timeout=60.0, lease=15.0)
    assert settings.for_leases.store_timeout == 5.0
    assert settings.store_timeout == 60.0
