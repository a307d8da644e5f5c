"""Turns: one run at a time writes a dataset, by a lease kept with the store's conditional writes.

No clock is compared with another's: who waits sees for itself that a lease is not renewed.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .datasets import Dataset
from .errors import StoreError, TurnLost, TurnTooLong
from .lake import Lake

LOOK_SECONDS = 1.0  # between two looks at another run's lease, at most


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
        self._renewing = threading.Lock()

    def confirm(self) -> None:
        """Renew the lease: from now on, nobody takes the dataset away for its length.

        Raises:
            TurnLost: another run has taken it.
        """
        with self._renewing:
            if not self._etag or not self._take(self._etag):
                raise TurnLost(f"{self._dataset.layer}/{self._dataset.name}")

    def wait(self, limit: float) -> None:
        """Take the lease once it is free, or its holder gave no sign of life for its length."""
        end = time.monotonic() + limit
        seen, since, holder = "", 0.0, ""
        while not self._take(None):
            there = self._lake.get(self._dataset.layer, self._dataset.lease)
            if there is None:
                continue
            content, etag = there
            run, lease = _read(content)
            if run != holder:
                holder = run
                print(f"Waiting for the run {run} to end with {self._dataset.layer}.", flush=True)
            if etag != seen:
                seen, since = etag, time.monotonic()
            elif time.monotonic() - since > max(lease, self._lease) and self._take(etag):
                return
            if time.monotonic() > end:
                raise TurnTooLong(f"{self._dataset.layer}/{self._dataset.name}", run, limit)
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
        with suppress(StoreError):
            if self._etag:
                self._lake.remove(self._dataset.layer, [self._dataset.lease])

    def _take(self, etag: str | None) -> bool:
        """Write the lease in place of that of an ETag, or of none; whether it is ours now."""
        # What is random makes each renewal another object, with another ETag.
        told = {"run": self._run, "lease_seconds": self._lease, "renewal": secrets.token_hex(8)}
        content = json.dumps(told).encode()
        self._etag = self._lake.put_if(self._dataset.layer, self._dataset.lease, content, etag)
        return self._etag is not None


def _read(content: bytes) -> tuple[str, float]:
    """The run that holds a lease, and its length in seconds."""
    try:
        told = json.loads(content)
        return str(told["run"]), float(told["lease_seconds"])
    except (ValueError, KeyError, TypeError):
        return "unknown", 0.0
