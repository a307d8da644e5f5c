"""A store that fails while a run works: nothing is lost, and the run ends well or with a log."""

import random
import threading

import pytest

from data.breweries.flow import FLOW
from tests.answers import Answer
from tests.faults.conftest import BUSY_LEASE_SECONDS
from tests.faults.damage import error_logs
from tests.faults.proxy import SLOW_DOWN, TOO_MANY, Refusal
from tests.waiting import wait_for

WON_TOO = Answer(b"")
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


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in FAULTS]
)
def test_a_store_that_fails_now_and_then(shaky, tell, every, name):
    kind, rate, methods = FAULTS[name]
    chance, injected, statuses = random.Random(3), [], []

    def fail(operation):
        if (methods is None or operation.method in methods) and chance.random() < rate:
            injected.append(operation)
            return kind
        return ""

    def run(_):
        shaky.proxy.before = fail
        logs = error_logs(shaky.world.lake)
        statuses.append(shaky.run())
        shaky.proxy.reset()
        return statuses[-1] == 0 or error_logs(shaky.world.lake) > logs

    times = 4 if every else 1
    assert shaky.rounds(range(times), run) == times <= len(injected)
    ends = f"{statuses.count(0)} of {times} complete; the next run does"
    tell(f"the store: {name}", len(injected), ends)


@pytest.mark.slow
def test_a_store_that_asks_for_a_minute_costs_none(shaky, tell):
    """A run and its renewals wait as they see fit: one 503 is no minute, nor is a lease lost."""

    def refuse(chosen):
        refused = shaky.proxy.answer(SLOW_DOWN, rf"^PUT \S*{chosen}", 3)
        process = shaky.start(LAKE_LEASE_SECONDS=BUSY_LEASE_SECONDS)
        process.join(30)
        return process.exitcode == 0 and len(refused) == 3

    refusals = ("leases/", "/silver/data/breweries/_versions/", "breweries_raw.json")
    assert shaky.rounds(refusals, refuse) == len(refusals), shaky.output()
    tell("the store: three 503 of a minute each to one PUT", 9, "completes at once")


def test_a_store_that_lets_two_racing_writers_win_is_refused(shaky, tell):
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
    assert shaky.run() == 1
    (log,) = shaky.world.logs("bronze").values()
    assert log["exception_type"] == "RaceWonTwice"
    assert "let 2 of 4 racing conditional writes win" in log["message"]
    assert shaky.damage() == []
    shaky.heal()
    tell("the store: two racing writers win", 1, "refused with `RaceWonTwice`")


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "times", "status"), [(1, 6, 0), (20, 3, 1)])
def test_a_store_that_dies_for_a_while_loses_nothing(shaky, tell, every, seconds, times, status):
    chance, logs, times = random.Random(7), error_logs(shaky.world.lake), times if every else 1
    down = threading.Event()

    def run(number):
        def die(operation):
            if operation.number == number:
                down.set()
                threading.Timer(seconds, down.clear).start()
            return "drop" if down.is_set() else ""

        shaky.proxy.before = die
        ended = shaky.run(LAKE_STORE_TIMEOUT_SECONDS=2)
        wait_for(lambda: not down.is_set(), pause=0.1)
        return ended == status

    assert shaky.rounds((chance.randrange(10, 60) for _ in range(times)), run) == times
    assert error_logs(shaky.world.lake) - logs == times * status
    assert not shaky.world.spooled()
    ends = "ends with a log, spooled until the store is back" if status else "completes"
    tell(f"the store is down for {seconds} s in mid-run", times, ends)
