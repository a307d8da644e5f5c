"""A store that fails while a run works: nothing is lost, and the run ends well or with a log."""

import random
import threading
import time

from tests.faults.damage import error_logs

FAULTS = {
    "one PUT in ten is refused with 503": ("refuse", 0.1, {"PUT"}),
    "one request in twenty is refused with 503": ("refuse", 0.05, None),
    "one request in twenty has its connection closed": ("drop", 0.05, None),
    "one read in ten is cut in the middle": ("cut", 0.1, {"GET"}),
    "every second PUT is refused with 503": ("refuse", 0.5, {"PUT"}),
}


def test_a_store_that_fails_now_and_then(shaky, tally, every):
    for name, (kind, rate, methods) in FAULTS.items():
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
        assert injected > rounds
        assert found == []
        ends = f"{completed} of {rounds} complete; the next run does"
        tally.add(f"the store: {name}", injected, len(found), ends)


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
    status = shaky.run(BREWERIES_STORE_TIMEOUT_SECONDS=2)
    while down.is_set():
        time.sleep(0.1)
    return status
