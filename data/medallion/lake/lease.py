"""Turns: one run at a time writes a dataset, by a lease kept with the store's conditional writes.

No clock is compared with another's: who waits sees for itself that a lease is not renewed.
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

from ..errors import (
    ConditionsIgnored,
    RaceWonTwice,
    StoreError,
    StoreUnreachable,
    TurnLost,
    TurnTooLong,
)
from ..host.console import tell
from .datasets import Dataset
from .store import TRIES
from .versions import Lake

LOOK_SECONDS = 1.0  # between two looks at another run's lease, at most
RACERS = 4  # writers that race for one object


@contextmanager
def take_turn(lake: Lake, dataset: Dataset, run: str, lease: float, limit: float) -> Iterator[Turn]:
    """The right to write a dataset, for as long as the context lasts.

    Args:
        lake: where the dataset is.
        dataset: the one to write.
        run: who writes it, for others to read.
        lease: seconds without a sign of life after which a run is taken for dead.
        limit: seconds to wait for another run's end.

    Raises:
        TurnTooLong: another run held it for longer than the limit.
    """
    turn = Turn(lake, dataset, run, lease)
    turn.wait(limit)
    if lake.put_if(dataset.layer, dataset.lease, b"{}", None):
        raise ConditionsIgnored(lake.endpoint)
    ended = threading.Event()
    renewing = threading.Thread(target=turn.keep, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield turn
    finally:
        ended.set()
        renewing.join()
        turn.give_back()


class Turn:
    """A run's right to write a dataset; `take_turn` is the way to one."""

    def __init__(self, lake: Lake, dataset: Dataset, run: str, lease: float) -> None:
        self._lake = lake
        self._dataset = dataset
        self._run = run
        self._lease = lease
        self._etag: str | None = None
        self._holder = secrets.token_hex(8)
        self._renewing = threading.Lock()

    def confirm(self) -> None:
        """Renew the lease: from now on, nobody takes the dataset away for its length.

        Raises:
            TurnLost: another run has taken it.
            StoreUnreachable: the store does not answer, or too late to be sure.
        """
        with self._renewing:
            for _ in range(TRIES):
                started = time.monotonic()
                if not self._etag or not self._take(self._etag):
                    raise TurnLost(self._dataset.path)
                # An answer that was long on its way says little about now.
                if time.monotonic() - started < self._lease / 2:
                    return
        raise StoreUnreachable(
            self._lake.endpoint,
            f"renew the lease of {self._dataset.path}",
            "its answers take longer than half of BREWERIES_LEASE_SECONDS",
        )

    def race(self) -> None:
        """Let writers race for an object: for one that is not there, then for its replacement.

        It proves that this store, now, let one of them win each time. A store that honours
        conditions only one after the other fails it almost surely; one that seldom fails may pass.

        Raises:
            RaceWonTwice: more than one of them won, or none did.
        """
        layer, key = self._dataset.layer, self._dataset.race
        with ThreadPoolExecutor(RACERS) as pool:

            def winners(etag: str | None) -> list[str]:
                start = threading.Barrier(RACERS)

                def write(number: int) -> str | None:
                    start.wait()
                    return self._lake.put_if(layer, key, f"{etag} {number}".encode(), etag)

                return [found for found in pool.map(write, range(RACERS)) if found]

            try:
                self._lake.remove(layer, [key])  # a crash may have left it
                first = winners(None)
                second = winners(first[0]) if len(first) == 1 else first
            finally:
                with suppress(StoreError):
                    self._lake.remove(layer, [key])
        if len(second) != 1:
            raise RaceWonTwice(self._lake.endpoint, RACERS, len(second))

    def wait(self, limit: float) -> None:
        """Take the lease once it is free, or its holder gave no sign of life for its length."""
        end = time.monotonic() + limit
        seen, since, told, alive = "", time.monotonic(), Lease("nobody"), False
        while not self._take(None):
            there = self._lake.get(self._dataset.layer, self._dataset.lease)
            content, etag = there or (b"", seen)
            lease = Lease.parse(content)
            if there and lease.run != told.run:
                tell(f"Waiting for run {lease.run} to end with {self._dataset.layer}.")
            if etag != seen:
                alive = lease.holder == told.holder  # it renewed its own
                seen, since, told = etag, time.monotonic(), lease
            silent = time.monotonic() - since
            if silent > max(lease.seconds, self._lease):
                if self._take(etag):
                    return
                alive = True
            # The lease of a dead run may be longer than our limit: it is waited for all the same.
            if alive and time.monotonic() > end:
                raise TurnTooLong(self._dataset.path, lease.run, limit)
            time.sleep(min(LOOK_SECONDS, self._lease / 4))

    def keep(self, ended: threading.Event) -> None:
        """Renew the lease in time, until told that the turn has ended."""
        while not ended.wait(self._lease / 4):
            try:
                self.confirm()
            except TurnLost:
                return
            except StoreError:
                continue  # whoever needs the store now sees that for himself

    def give_back(self) -> None:
        """Free the dataset for others."""
        with suppress(StoreError, TurnLost):
            self.confirm()
            self._lake.remove(self._dataset.layer, [self._dataset.lease])

    def _take(self, etag: str | None) -> bool:
        """Write the lease in place of that of an ETag, or of none; whether it is ours now."""
        # What is random makes each renewal another object, with another ETag.
        lease = Lease(self._run, self._lease, self._holder, secrets.token_hex(8))
        content = json.dumps(asdict(lease)).encode()
        layer, key = self._dataset.layer, self._dataset.lease
        self._etag = self._lake.put_if(layer, key, content, etag)
        if self._etag is None and etag:
            # A renewal whose answer was lost is ours all the same.
            there = self._lake.get(layer, key)
            if there and Lease.parse(there[0]).holder == self._holder:
                self._etag = there[1]
        return self._etag is not None


@dataclass(frozen=True)
class Lease:
    """What a lease says: which run holds it, for how many seconds from each renewal on."""

    run: str
    seconds: float = 0.0
    holder: str = ""
    renewal: str = ""

    @classmethod
    def parse(cls, content: bytes) -> Lease:
        """A stored lease; one that cannot be read is nobody's."""
        try:
            told = json.loads(content)
            return cls(str(told["run"]), float(told["seconds"]), str(told["holder"]))
        except (ValueError, KeyError, TypeError):
            return cls("unknown")
