"""Leases let runs take turns at a dataset.

Nothing else depends on them: two runs that write at once would both end well or publish nothing,
because only one of them can create the next entry of a log. Clocks are never compared. A waiting
run watches whether the other run renews its lease.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from pydantic import BaseModel, Field, FiniteFloat

from .datasets import LAYERS, LEASES, Dataset, Layer
from .errors import ConditionsUnsupported, LeaseHeld, RaceWonTwice, StoreError
from .store import Store

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # the longest pause between two reads of another run's lease
RACERS = 4  # concurrent writers of one object


@contextmanager
def hold(store: Store, dataset: Dataset, run: str, seconds: float, limit: float) -> Iterator[Lease]:
    """Hold the lease of a dataset while the context lasts; others can read the id of the run.

    It expires if it is not renewed for `seconds`. Another run's is waited for `limit` seconds.

    Raises:
        LeaseHeld: another run held the lease for longer than the limit.
        ConditionsUnsupported: the store has no conditional writes, or ignores their condition.
    """
    lease = Lease(store, dataset, run, seconds)
    lease.acquire(limit)
    if store.create(dataset.layer, dataset.lease, lease.content()):
        raise ConditionsUnsupported(store.endpoint)
    ended = threading.Event()

    def keep_renewed() -> None:
        while not ended.wait(seconds / 4):
            with suppress(StoreError):  # the block will get the same error when it needs the store
                if not lease.renew():
                    return

    renewing = threading.Thread(target=keep_renewed, daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        with suppress(StoreError):
            lease.release()


def renewed(store: Store) -> dict[str, bool]:
    """Every lease of the lake, as `<layer>/<key>`, to whether a run renews it.

    A lease has expired if it is not renewed for its length, so this can take as long.
    """

    def contents() -> dict[tuple[Layer, str], bytes | None]:
        names = [(layer, key) for layer in LAYERS for key in store.listed(layer, LEASES)]
        return {name: store.get(*name) for name in names if name[1].endswith(".json")}

    first = last = contents()
    lengths = [Holder.parse(content or b"").seconds for content in first.values()]
    end = time.monotonic() + max(lengths, default=0)
    while first.items() & last.items() and time.monotonic() < end:
        time.sleep(LOOK_SECONDS / 2)
        last = contents()
    held = first.items() & last.items()
    return {"/".join(name): (name, c) not in held for name, c in (first | last).items()}


class Lease:
    """A run's lease of a dataset. Use `hold` to get one."""

    def __init__(self, store: Store, dataset: Dataset, run: str, seconds: float) -> None:
        self._store = store
        self._dataset = dataset
        self._run = run
        self._seconds = seconds
        self._holder = secrets.token_hex(8)
        self.was_held_by_run = False
        """Whether another attempt of the run held the lease, and may still go on."""

    def content(self) -> bytes:
        """The content of the lease; each renewal has another one."""
        holder = Holder(run=self._run, seconds=self._seconds, holder=self._holder)
        return holder.model_dump_json().encode()

    def renew(self) -> bool:
        """Renew the lease; returns whether it was still ours."""
        if not self._is_ours():
            return False
        self._store.put(self._dataset.layer, self._dataset.lease, self.content())
        return True

    def verify_conditional_writes(self) -> None:
        """As `race`, unless a run of the same day (UTC) did it in this lake."""
        layer, key = self._dataset.layer, self._dataset.race
        day = self._run.partition("T")[0].encode()
        if not (self._store.get(layer, key) or b"").startswith(day):
            self.race()
            self._store.put(layer, key, self._run.encode())

    def race(self) -> None:
        """Let several writers create an object at once; exactly one of them must win.

        A store that does not honour concurrent conditions almost always fails here. A store that
        fails rarely may pass.

        Raises:
            RaceWonTwice: more than one writer won, or none did.
        """
        layer, key = self._dataset.layer, self._dataset.race
        start = threading.Barrier(RACERS)

        def write(number: int) -> bool:
            start.wait()
            return self._store.create(layer, key, f"{number}".encode())

        try:
            self._store.remove(layer, [key])  # a crash may have left it
            with ThreadPoolExecutor(RACERS) as pool:
                winners = sum(pool.map(write, range(RACERS)))
        finally:
            with suppress(StoreError):
                self._store.remove(layer, [key])
        if winners != 1:
            raise RaceWonTwice(self._store.endpoint, RACERS, winners)

    def acquire(self, limit: float) -> None:
        """Acquire the lease once it is free or expired; LeaseHeld if that takes over `limit` s."""
        end = time.monotonic() + limit
        last, since, holder, alive = b"", time.monotonic(), Holder(run="nobody"), False
        layer, key = self._dataset.layer, self._dataset.lease
        while not (self._store.create(layer, key, self.content()) or self._is_ours()):
            content = self._store.get(layer, key) or last
            theirs = Holder.parse(content)
            if content != last and theirs.run != holder.run:
                logger.info(f"Waiting for run {theirs.run} to end with {self._dataset.path}.")
            self.was_held_by_run |= theirs.run == self._run
            if content != last:
                alive = theirs.holder == holder.holder  # the same run renewed it
                last, since, holder = content, time.monotonic(), theirs
            if time.monotonic() - since > max(theirs.seconds, self._seconds):
                if self._store.get(layer, key) == last:
                    self._store.remove(layer, [key])
                    continue
                alive = True
            # A dead run's lease may expire later than our limit: wait for that anyway.
            if alive and time.monotonic() > end:
                raise LeaseHeld(self._dataset.path, theirs.run, limit)
            time.sleep(min(LOOK_SECONDS, self._seconds / 4))

    def release(self) -> None:
        """Release the lease, so that others can acquire it."""
        if self._is_ours():
            self._store.remove(self._dataset.layer, [self._dataset.lease])

    def _is_ours(self) -> bool:
        content = self._store.get(self._dataset.layer, self._dataset.lease)
        return content is not None and Holder.parse(content).holder == self._holder


class Holder(BaseModel):
    """The content of a lease: the run that holds it, and its length in seconds."""

    run: str
    seconds: FiniteFloat = 0.0
    holder: str = ""
    renewal: str = Field(default_factory=partial(secrets.token_hex, 8))

    @classmethod
    def parse(cls, content: bytes) -> Holder:
        """Parse a stored lease; an unreadable one has no holder."""
        try:
            return cls.model_validate_json(content)
        except ValueError:
            return cls(run="unknown")
