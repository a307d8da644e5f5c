"""Leases: conditional writes of the store let only one run at a time write a dataset.

Clocks are never compared. A waiting run watches whether the other run renews its lease.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from ..host.console import tell
from .datasets import LAYERS, LEASES, Dataset, Layer
from .errors import (
    ConditionsIgnored,
    LeaseHeld,
    LeaseLost,
    RaceWonTwice,
    StoreError,
    StoreUnreachable,
)
from .runs import day_of
from .store import Store
from .tries import TRIES

LOOK_SECONDS = 1.0  # the longest pause between two reads of another run's lease
RACERS = 4  # concurrent writers of one object


@contextmanager
def hold(store: Store, dataset: Dataset, run: str, seconds: float, limit: float) -> Iterator[Lease]:
    """Hold the lease of a dataset while the context lasts.

    Args:
        store: the store of the dataset.
        dataset: the dataset to write.
        run: the id of this run, for other runs to read.
        seconds: the length of the lease; it expires if it is not renewed for so long.
        limit: seconds to wait for another run to release the lease.

    Raises:
        LeaseHeld: another run held the lease for longer than the limit.
        ConditionsIgnored: the store ignores conditional writes.
    """
    lease = Lease(store, dataset, run, seconds)
    lease.acquire(limit)
    if store.put_if(dataset.layer, dataset.lease, b"{}", None):
        raise ConditionsIgnored(store.endpoint)
    ended = threading.Event()
    renewing = threading.Thread(target=lease.keep_renewed, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        lease.release()


def renewed(store: Store) -> dict[str, bool]:
    """Every lease of the lake, as `<layer>/<key>`, to whether a run renews it.

    A lease has expired if it is not renewed for its length, so this can take as long.
    """

    def etags() -> dict[tuple[Layer, str], str]:
        return {
            (layer, key): found.etag
            for layer in LAYERS
            for key, found in store.listed(layer, LEASES).items()
            if key.endswith(".json")
        }

    first = last = etags()
    contents = [stored[0] for name in first if (stored := store.get(*name))]
    end = time.monotonic() + max((Content.parse(c).seconds for c in contents), default=0)
    while first.items() & last.items() and time.monotonic() < end:
        time.sleep(LOOK_SECONDS / 2)
        last = etags()
    held = first.items() & last.items()
    return {"/".join(name): (name, etag) not in held for name, etag in (first | last).items()}


class Lease:
    """A run's lease of a dataset. Use `hold` to get one."""

    def __init__(self, store: Store, dataset: Dataset, run: str, seconds: float) -> None:
        self._store = store
        self._dataset = dataset
        self._run = run
        self._seconds = seconds
        self._etag: str | None = None
        self._holder = secrets.token_hex(8)
        self._renewing = threading.Lock()

    def renew(self) -> None:
        """Renew the lease; from now on, no other run can acquire it for its length.

        Raises:
            LeaseLost: another run has acquired it.
            StoreUnreachable: the store does not respond, or too late to be sure.
        """
        with self._renewing:
            for _ in range(TRIES):
                started = time.monotonic()
                if not self._etag or not self._take(self._etag):
                    raise LeaseLost(self._dataset.path)
                # During a slow response, the lease may have expired again.
                if time.monotonic() - started < self._seconds / 2:
                    return
        raise StoreUnreachable(
            self._store.endpoint,
            f"renew the lease of {self._dataset.path}",
            "its responses take longer than half of LAKE_LEASE_SECONDS",
        )

    def race_once_a_day(self) -> None:
        """Run the race of writers, unless a run of the same day (UTC) did it in this lake.

        Raises:
            RaceWonTwice: as `race`.
        """
        layer, key = self._dataset.layer, self._dataset.race
        proved = self._store.get(layer, key)
        if not proved or day_of(proved[0].decode(errors="replace")) != day_of(self._run):
            self.race()
            self._store.put(layer, key, self._run.encode())

    def race(self) -> None:
        """Let several writers create an object at once, and then replace it at once.

        Each time, exactly one writer must win. A store that does not honour concurrent conditions
        almost always fails here. A store that fails rarely may pass.

        Raises:
            RaceWonTwice: more than one writer won, or none did.
        """
        layer, key = self._dataset.layer, self._dataset.race
        with ThreadPoolExecutor(RACERS) as pool:

            def winners(etag: str | None) -> list[str]:
                start = threading.Barrier(RACERS)

                def write(number: int) -> str | None:
                    start.wait()
                    return self._store.put_if(layer, key, f"{etag} {number}".encode(), etag)

                return [found for found in pool.map(write, range(RACERS)) if found]

            try:
                self._store.remove(layer, [key])  # a crash may have left it
                first = winners(None)
                second = winners(first[0]) if len(first) == 1 else first
            finally:
                with suppress(StoreError):
                    self._store.remove(layer, [key])
        if len(second) != 1:
            raise RaceWonTwice(self._store.endpoint, RACERS, len(second))

    def acquire(self, limit: float) -> None:
        """Wait until the lease is released or has expired, and acquire it.

        Raises:
            LeaseHeld: another run held it for longer than the limit, in seconds.
        """
        end = time.monotonic() + limit
        etag, since, holder, alive = "", time.monotonic(), Content("nobody"), False
        while not self._take(None):
            stored = self._store.get(self._dataset.layer, self._dataset.lease)
            content, newest = stored or (b"", etag)
            theirs = Content.parse(content)
            if stored and theirs.run != holder.run:
                tell(f"Waiting for run {theirs.run} to end with {self._dataset.path}.")
            if newest != etag:
                alive = theirs.holder == holder.holder  # the same run renewed it
                etag, since, holder = newest, time.monotonic(), theirs
            if time.monotonic() - since > max(theirs.seconds, self._seconds):
                if self._take(newest):
                    return
                alive = True
            # A dead run's lease may expire later than our limit: wait for that anyway.
            if alive and time.monotonic() > end:
                raise LeaseHeld(self._dataset.path, theirs.run, limit)
            time.sleep(min(LOOK_SECONDS, self._seconds / 4))

    def keep_renewed(self, ended: threading.Event) -> None:
        """Renew the lease regularly, until `ended` is set."""
        while not ended.wait(self._seconds / 4):
            try:
                self.renew()
            except LeaseLost:
                return
            except StoreError:
                continue  # the block will get the same error when it needs the store

    def release(self) -> None:
        """Release the lease, so that others can acquire it."""
        with suppress(StoreError, LeaseLost):
            self.renew()
            self._store.remove(self._dataset.layer, [self._dataset.lease])

    def _take(self, etag: str | None) -> bool:
        """Replace the lease with this ETag, or create it; returns whether it is ours now."""
        # The random part gives each renewal a new ETag.
        written = Content(self._run, self._seconds, self._holder, secrets.token_hex(8))
        content = json.dumps(asdict(written)).encode()
        layer, key = self._dataset.layer, self._dataset.lease
        self._etag = self._store.put_if(layer, key, content, etag)
        if self._etag is None and etag:
            # If the response to our renewal was lost, the lease is still ours.
            stored = self._store.get(layer, key)
            if stored and Content.parse(stored[0]).holder == self._holder:
                self._etag = stored[1]
        return self._etag is not None


@dataclass(frozen=True)
class Content:
    """The content of a lease: the run that holds it, and its length in seconds."""

    run: str
    seconds: float = 0.0
    holder: str = ""
    renewal: str = ""

    @classmethod
    def parse(cls, content: bytes) -> Content:
        """Parse a stored lease; an unreadable one has no holder."""
        try:
            fields = json.loads(content)
            return cls(str(fields["run"]), float(fields["seconds"]), str(fields["holder"]))
        except (ValueError, KeyError, TypeError):
            return cls("unknown")
