"""A store that fails while a run works: nothing is lost, and the run ends well or with a log."""

import random
import threading
import time

import pytest

from data.breweries.flow import FLOW
from tests.faults.damage import error_logs
from tests.faults.proxy import A_MINUTE, SLOW_DOWN, Answer, Refusal

TOO_MANY = Refusal(429, "TooManyRequests", "Please reduce your request rate", A_MINUTE)
WON_TOO = Answer(200)
INTERNAL = Refusal(500, "InternalError", "We encountered an internal error, please try again.")

FAULTS = {
    "one PUT in ten is refused with 503, `Retry-After` 60 s": (SLOW_DOWN, 0.1, {"PUT"}),
    "one request in twenty is refused with 503, `Retry-After` 60 s": (SLOW_DOWN, 0.05, None),
    "one request in twenty is refused with 429, `Retry-After` 60 s": (TOO_MANY, 0.05, None),
    "one request in twenty is refused with 500": (INTERNAL, 0.05, None),
    "one request in twenty has its connection closed": ("drop", 0.05, None),
    "one read in ten is cut in the middle": ("cut", 0.1, {"GET"}),
    "every second PUT is refused with 503, `Retry-After` 60 s": (SLOW_DOWN, 0.5, {"PUT"}),
}
QUICK = list(FAULTS)[1::4]  # a refusal of all kinds of requests, and one of bodies that are cut


def test_a_store_that_fails_now_and_then(shaky, tally, every):
    for name, (kind, rate, methods) in FAULTS.items():
        if name not in QUICK and not every:
            continue
        chance, injected, found, completed = random.Random(3), 0, [], 0
        rounds = 4 if every else 1

        def fail(operation, chance=chance, kind=kind, rate=rate, methods=methods):
            nonlocal injected
            if (methods is None or operation.method in methods) and chance.random() < rate:
                injected += 1
                return kind
            return ""

        for _ in range(rounds):
            shaky.change()
            shaky.proxy.reset()
            shaky.proxy.before = fail
            logs = error_logs(shaky.world.lake)
            completed += (status := shaky.run()) == 0
            found += shaky.damage() + shaky.heal()
            assert status == 0 or error_logs(shaky.world.lake) > logs
        assert injected >= rounds
        assert found == []
        ends = f"{completed} of {rounds} complete; the next run does"
        tally.add(f"the store: {name}", injected, len(found), ends)


@pytest.mark.slow
def test_a_store_that_asks_for_a_minute_costs_none(shaky, tally):
    """A run and its renewals wait as they see fit: one 503 is no minute, nor is a lease lost."""
    for chosen in ("leases/", "/silver/data/breweries/_versions/", "breweries_raw.json"):
        refused = []

        def refuse(operation, chosen=chosen, refused=refused):
            if chosen in operation.path and operation.method == "PUT" and len(refused) < 3:
                refused.append(operation)
                return SLOW_DOWN
            return ""

        shaky.change()
        shaky.proxy.reset()
        shaky.proxy.before = refuse
        process = shaky.start(LAKE_LEASE_SECONDS=15)
        process.join(30)
        assert process.exitcode == 0, shaky.output()
        assert len(refused) == 3
    found = shaky.damage() + shaky.heal()
    assert found == []
    tally.add(
        "the store: three 503 of a minute each to one PUT", 9, len(found), "completes at once"
    )


def test_a_store_that_lets_two_racing_writers_win_is_refused(shaky, tally):
    """It honours conditions one after the other: seaweedfs#8800, rustfs#1659, versitygw#2288."""
    started, passed = threading.Barrier(2), []

    def hold_two(operation):
        if operation.path.endswith(".race") and operation.method == "PUT" and len(passed) < 2:
            passed.append(operation)
            started.wait(10)
            return "" if operation is passed[0] else WON_TOO
        return ""

    shaky.world.lake.store.remove("bronze", [FLOW.bronze.race])
    shaky.proxy.before = hold_two
    status = shaky.run()
    assert status == 1
    (log,) = shaky.world.logs("bronze").values()
    assert log["exception_type"] == "RaceWonTwice"
    assert "let 2 of 4 racing conditional writes win" in log["message"]
    found = shaky.damage() + shaky.heal()
    assert found == []
    ends = "refused with `RaceWonTwice`"
    tally.add("the store: two racing writers win", 1, len(found), ends)


@pytest.mark.slow
def test_a_store_that_dies_for_a_while(shaky, tally, every):
    chance = random.Random(7)
    for seconds, rounds, survives in ((1, 6 if every else 1, True), (20, 3 if every else 1, False)):
        found, completed, logs = [], 0, error_logs(shaky.world.lake)
        for _ in range(rounds):
            shaky.change()
            completed += run_on_a_store_that_dies(shaky, chance.randrange(10, 60), seconds) == 0
            found += shaky.damage() + shaky.heal()
        assert found == []
        assert completed == (rounds if survives else 0)
        assert error_logs(shaky.world.lake) - logs == rounds - completed
        assert not shaky.world.spooled()
        ends = "completes" if survives else "ends with a log, spooled until the store is back"
        tally.add(f"the store is down for {seconds} s in mid-run", rounds, len(found), ends)


def run_on_a_store_that_dies(shaky, operation_number, seconds):
    """A run whose store answers nothing for a while from some operation on; its exit status."""
    down = threading.Event()

    def die(operation):
        if operation.number == operation_number:
            down.set()
            threading.Timer(seconds, down.clear).start()
        return "drop" if down.is_set() else ""

    shaky.proxy.reset()
    shaky.proxy.before = die
    status = shaky.run(LAKE_STORE_TIMEOUT_SECONDS=2)
    while down.is_set():
        time.sleep(0.1)
    return status
