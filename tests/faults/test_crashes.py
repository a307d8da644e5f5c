"""Runs that are killed or stopped: the lake stays whole, and the next run heals it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from data.medallion.layers.silver.plan import content_of
from tests.faults.conftest import LEASE_SECONDS
from tests.faults.proxy import StoreProxy

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("moment", ["before", pytest.param("after", marks=pytest.mark.slow)])
def test_a_kill_at_every_store_operation(shaky, tally, every, moment):
    step, kills, found = (1 if every else 43), 0, []
    while True:
        shaky.change()
        number = 1 + kills * step
        if not killed_at(shaky, number, moment):
            break
        kills += 1
        found += shaky.damage() + shaky.heal()
    assert kills * step > 60
    assert found == []
    tally.add(
        f"SIGKILL {moment} a store operation, at each of them in turn",
        kills,
        len(found),
        "killed; the next run completes",
    )


def killed_at(shaky, number, moment):
    """Start a run and kill it at its store operation of that number; whether it came so far."""
    shaky.proxy.reset()
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
def test_mage_killed_at_random_moments(shaky, tally, every):
    chance, found, kills, times = random.Random(11), [], 0, 10 if every else 1
    started = time.monotonic()
    assert mage(shaky).wait() == 0
    length = time.monotonic() - started
    while kills < times:
        shaky.change()
        process = mage(shaky)
        time.sleep(chance.uniform(0.4, 1) * length)
        os.killpg(process.pid, signal.SIGKILL)
        # One that had ended before was not killed.
        kills += process.wait() == -signal.SIGKILL
        found += shaky.damage() + shaky.heal()
    assert found == []
    ends = "killed; the next run completes"
    tally.add("SIGKILL of the whole `mage run` at a random moment", times, len(found), ends)


def mage(shaky):
    """The real command, in a process group of its own."""
    command = [Path(sys.executable).with_name("mage"), "run", "data", "breweries", "--test"]
    own = {"MINIO_ENDPOINT": shaky.proxy.endpoint, "LAKE_LEASE_SECONDS": str(LEASE_SECONDS)}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


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
def test_a_run_that_is_stopped_and_wakes_after_another_took_over(shaky, tally, every, moment):
    stops, found = 0, []
    for chosen in operations(every, 6, "publish of silver", "removal in silver"):
        shaky.change()
        if not stopped_at(shaky, chosen, moment):
            break
        stops += 1
        found += shaky.damage() + shaky.heal()
    assert stops >= 2
    assert found == []
    tally.add(
        f"a run stopped {moment} a store operation for longer than its lease, while another "
        "published other data, and then woken",
        stops,
        len(found),
        "one of the two publishes; the other may end with `VersionTaken`",
    )


def stopped_at(shaky, chosen, moment):
    """Stop a run at an operation, let another publish other data, then let it go on.

    Returns:
        Whether the run came to that operation.
    """
    shaky.proxy.reset()
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
def test_a_slow_operation_of_one_run_while_another_wants_to_publish(shaky, tally, every):
    held, found = 0, []
    for chosen in operations(every, 10, *CRITICAL):
        shaky.change()
        if not held_at(shaky, chosen):
            break
        held += 1
        found += shaky.damage() + shaky.heal()
    assert held >= 3
    assert found == []
    tally.add(
        "one store operation held up until another run, with other data, has ended or waits",
        held,
        len(found),
        "they take turns; one whose lease is held up may end with `VersionTaken`",
    )


def held_at(shaky, chosen):
    """Hold one operation of a run while another runs; whether the run came to it."""
    shaky.proxy.reset()
    held, go_on = threading.Event(), threading.Event()

    def hold(operation):
        if chosen(operation) and not held.is_set():
            held.set()
            go_on.wait(60)
        return ""

    shaky.proxy.before = hold
    first = shaky.start()
    if not came_to(held, first):
        return False
    shaky.change()
    with StoreProxy(shaky.proxy.target) as other:
        second = shaky.start(MINIO_ENDPOINT=other.endpoint)
        second.join(4)
        go_on.set()
        for process in (first, second):
            process.join(60)
    # One whose lease was held up may be taken for dead.
    assert first.exitcode in (0, 1), shaky.output()
    assert second.exitcode == 0, shaky.output()
    return True


def test_two_runs_at_once_take_turns(shaky, tally, every):
    chance, found, times = random.Random(5), [], 15 if every else 1
    for _ in range(times):
        shaky.change()
        first = shaky.start()
        time.sleep(chance.uniform(0, 1.2))
        shaky.change()
        second = shaky.start()
        for process in (first, second):
            process.join(60)
        assert (first.exitcode, second.exitcode) == (0, 0), shaky.output()
        found += shaky.damage() + shaky.heal()
    assert found == []
    tally.add("two runs at once, with other data", times, len(found), "they take turns")


def test_a_run_that_must_not_wait_ends_with_a_sentence(shaky, tally):
    process = shaky.start()
    shaky.world.api.faults = type(shaky.world.api.faults)(rate_limit=0, latency_seconds=1)
    time.sleep(0.5)
    status = shaky.run(LAKE_TURN_LIMIT_SECONDS=0)
    process.join(60)
    shaky.world.api.faults = type(shaky.world.api.faults)(rate_limit=0)
    assert sorted([status, process.exitcode]) == [0, 1]
    (log,) = shaky.world.logs("bronze").values()
    assert log["exception_type"] == "LeaseHeld"
    assert "Run again when it has ended" in log["message"]
    found = shaky.damage() + shaky.heal()
    assert found == []
    tally.add(
        "two runs at once, the second not to wait", 1, len(found), "`LeaseHeld` for the second"
    )


@pytest.mark.slow
def test_a_reader_in_the_middle_is_not_failed_by_the_clean_up(shaky, tally, every):
    lake, rounds = shaky.world.lake, 12 if every else 2
    ended, reads, failures = threading.Event(), [], []
    silvers = [{(e[0], e[1]) for e in truth.silver} for truth in shaky.truths]

    def read_all(version):
        found = {content_of(e) for e in version.objects if lake.read("silver", e)}
        time.sleep(0.05)  # a slow reader
        for entry in version.objects:
            lake.read("silver", entry)
        return found

    def read_on():
        while not ended.is_set():
            try:
                reads.append(lake.read_current(FLOW.silver, read_all))
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    for _ in range(rounds):
        shaky.change()
        assert shaky.run() == 0, shaky.output()
    ended.set()
    reader.join()
    assert failures == []
    assert all(read in silvers for read in reads)
    assert len({frozenset(read) for read in reads}) >= 2
    ends = "it reads the old version or the new one, whole"
    tally.add("a publish and clean-up under a slow reader", rounds, len(failures), ends)
