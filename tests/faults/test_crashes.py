"""Runs that are killed or stopped: the lake stays whole, and the next run heals it."""

import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from subprocess import DEVNULL, TimeoutExpired

import pytest

from data.breweries.flow import FLOW
from data.medallion.layers.silver.plan import content_of
from sandbox import ROOT
from tests.faults.conftest import BUSY_LEASE_SECONDS, LEASE_SECONDS
from tests.faults.proxy import StoreProxy
from tests.programs import running


@pytest.mark.parametrize("moment", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_a_kill_at_every_store_operation(shaky, tell, every, moment):
    step = 1 if every else 43
    kills = shaky.rounds(count(1, step), lambda number: killed_at(shaky, number, moment))
    assert kills * step > 60
    fault = f"SIGKILL {moment} a store operation, at each of them in turn"
    tell(fault, kills, "killed; the next run completes")


def killed_at(shaky, number, moment):
    """Start a run and kill it at its store operation of that number; whether it came so far."""
    started = threading.Event()
    killed = threading.Event()

    def kill(operation):
        if operation.number != number:
            return "drop" if killed.is_set() else ""
        started.wait()
        os.kill(process.pid, signal.SIGKILL)
        killed.set()
        return "drop"

    setattr(shaky.proxy, moment, kill)
    process = shaky.start()
    started.set()
    process.join(60)
    assert process.exitcode == (-signal.SIGKILL if killed.is_set() else 0), shaky.output()
    return killed.is_set()


@pytest.mark.slow
def test_mage_killed_at_random_moments_harms_nothing(shaky, tell, every):
    chance, wanted, kills = random.Random(11), 10 if every else 1, []
    own = {"MINIO_ENDPOINT": shaky.proxy.endpoint, "LAKE_LEASE_SECONDS": str(LEASE_SECONDS)}
    mage = [Path(sys.executable).with_name("mage"), "run", "data", "breweries", "--test"]

    def run(seconds):
        """One that ends before is not killed."""
        how = {"cwd": ROOT, "env": {**os.environ, **own}, "stdout": DEVNULL, "stderr": DEVNULL}
        with running(mage, signal.SIGKILL, **how) as process, suppress(TimeoutExpired):
            process.wait(seconds)
        kills.append(process.returncode == -signal.SIGKILL)
        return sum(kills) < wanted

    started = time.monotonic()
    run(None)
    length = time.monotonic() - started
    shaky.rounds((chance.uniform(0.4, 1) * length for _ in count()), run)
    shaky.heal()
    ends = "killed; the next run completes"
    tell("SIGKILL of the whole `mage run` at a random moment", wanted, ends)


# Where two runs could hurt each other most: each publish, and the removal of the version before.
CRITICAL = {
    "publish of bronze": lambda o: o.method == "PUT" and "/bronze/data/breweries/_v" in o.path,
    "publish of silver": lambda o: o.method == "PUT" and "/silver/data/breweries/_v" in o.path,
    "removal in silver": lambda o: o.method == "POST" and o.path.startswith("/silver?delete"),
    "copy to gold's fixed name": lambda o: o.method == "PUT" and "_aggregated.parquet" in o.path,
}


def operations(every, step, *quick):
    """Which operations to disturb, one a run.

    Args:
        every: the critical ones, and each so many-th; else a quick selection.
        step: how many-th.
        quick: names of the critical ones that are that selection.
    """
    yield from (CRITICAL[name] for name in (CRITICAL if every else quick))
    for number in range(1, 200, step) if every else ():
        yield lambda operation, number=number: operation.number == number


def came_to(event, process):
    """Whether a run came to an event before it ended."""
    while not event.wait(0.02):
        if process.exitcode is not None:
            return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_is_stopped_and_wakes_after_another_took_over(shaky, tell, every, moment):
    chosen = operations(every, 6, "publish of silver", "removal in silver")
    stops = shaky.rounds(chosen, lambda operation: stopped_at(shaky, operation, moment))
    assert stops >= 2
    tell(
        f"a run stopped {moment} a store operation for longer than its lease, while another "
        "published other data, and then woken",
        stops,
        "one of the two publishes; the other may end with `VersionTaken`",
    )


def stopped_at(shaky, chosen, moment):
    """Stop a run until another has published other data; whether it came to that operation."""
    started, stopped, woken = threading.Event(), threading.Event(), threading.Event()

    def stop(operation):
        if chosen(operation) and not stopped.is_set():
            started.wait()
            os.kill(process.pid, signal.SIGSTOP)
            stopped.set()
        if stopped.is_set():
            # Requests that were under way are lost, or their answers come late.
            woken.wait(60)
            return "drop" if moment == "before" else ""
        return ""

    setattr(shaky.proxy, moment, stop)
    process = shaky.start()
    started.set()
    if not came_to(stopped, process):
        return False
    shaky.change()
    with StoreProxy(shaky.proxy.target) as other:
        assert shaky.run(MINIO_ENDPOINT=other.endpoint) == 0, shaky.output()
    shaky.proxy.before = shaky.proxy.after = lambda operation: ""
    os.kill(process.pid, signal.SIGCONT)
    woken.set()
    process.join(60)
    assert process.exitcode in (0, 1), shaky.output()
    return True


@pytest.mark.slow
def test_a_slow_operation_of_one_run_while_another_wants_to_publish(shaky, tell, every):
    def held(chosen):
        if ends := met_at(shaky, chosen, wait=4):
            # One whose lease was held up may be taken for dead; a busy machine holds up both.
            assert sorted(ends) in [[0, 0], [0, 1]], shaky.output()
        return ends

    times = shaky.rounds(operations(every, 10, *CRITICAL), held)
    assert times >= 3
    tell(
        "one store operation held up until another run, with other data, has ended or waits",
        times,
        "they take turns; one whose lease is held up may end with `VersionTaken`",
    )


def met_at(shaky, chosen, wait, **settings):
    """Hold one operation of a run while another runs; how both end, if the first came to it."""
    held, go_on = threading.Event(), threading.Event()

    def hold(operation):
        if chosen(operation) and not held.is_set():
            held.set()
            go_on.wait(60)
        return ""

    shaky.proxy.before = hold
    first = shaky.start(**settings)
    if not came_to(held, first):
        return ()
    shaky.change()
    with StoreProxy(shaky.proxy.target) as other:
        second = shaky.start(MINIO_ENDPOINT=other.endpoint, **settings)
        second.join(wait)
        go_on.set()
        for process in (first, second):
            process.join(60)
    return first.exitcode, second.exitcode


def test_two_runs_at_once_take_turns(shaky, tell, every):
    chance, times = random.Random(5), 15 if every else 1

    def both(_):
        first = shaky.start(LAKE_LEASE_SECONDS=BUSY_LEASE_SECONDS)
        time.sleep(chance.uniform(0, 1.2))
        shaky.change()
        second = shaky.start(LAKE_LEASE_SECONDS=BUSY_LEASE_SECONDS)
        for process in (first, second):
            process.join(60)
        assert (first.exitcode, second.exitcode) == (0, 0), shaky.output()
        return True

    shaky.rounds(range(times), both)
    tell("two runs at once, with other data", times, "they take turns")


def test_a_run_that_must_not_wait_ends_with_a_sentence(shaky, tell):
    settings = {"LAKE_LEASE_WAIT_SECONDS": 0, "LAKE_LEASE_SECONDS": BUSY_LEASE_SECONDS}
    ends = met_at(shaky, CRITICAL["publish of bronze"], wait=60, **settings)
    assert ends == (0, 1), shaky.output()
    (log,) = shaky.world.logs("bronze").values()
    assert log["exception_type"] == "LeaseHeld"
    assert "Run again when it has ended" in log["message"]
    shaky.heal()
    tell("two runs at once, the second not to wait", 1, "`LeaseHeld` for the second")


@pytest.mark.slow
def test_a_reader_in_the_middle_is_not_failed_by_the_clean_up(shaky, tell, every):
    lake, times = shaky.world.lake, 12 if every else 2
    silvers = [{(e[0], e[1]) for e in truth.silver} for truth in shaky.truths]
    ended = threading.Event()

    def read_all(version):
        found = {content_of(e) for e in version.objects if lake.read("silver", e)}
        time.sleep(0.05)  # a slow reader
        for entry in version.objects:
            lake.read("silver", entry)
        return found

    def read_on():
        reads = []
        while not ended.is_set():
            reads.append(lake.read_current(FLOW.silver, read_all))
        return reads

    with ThreadPoolExecutor(1) as one:
        reading = one.submit(read_on)
        try:
            for _ in range(times):
                shaky.change()
                assert shaky.run() == 0, shaky.output()
        finally:
            ended.set()
        reads = reading.result()
    assert all(read in silvers for read in reads)
    assert len({frozenset(read) for read in reads}) >= 2
    ends = "it reads the old version or the new one, whole"
    tell("a publish and clean-up under a slow reader", times, ends)
