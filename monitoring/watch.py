"""Serves the newest look at the lake to many clients: one look at a time, and not too often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from .look import LakeLook

FRESH_SECONDS = 5.0  # several systems poll
LONG_SECONDS = 5.0  # after a longer look, the store rests for the time of that look
PATIENCE_SECONDS = 2.0  # Zabbix waits 3 s by default
STALLED_SECONDS = 30.0
STALLED_LOOKS = 4  # times the duration of the last look


class Watch:
    """Looks at the lake on request.

    Args:
        look: makes a new look from the previous one.
        first: the look to return until the first one is done.
        fresh: seconds until a look is renewed; after a long look, as many as it took.
        patience: seconds to wait for a look; after that, the previous one is returned.
        stalled: seconds after which a slow look counts as a store that is down. If the last look
            was long, the limit is longer.
    """

    def __init__(
        self,
        look: Callable[[LakeLook], LakeLook],
        first: LakeLook,
        fresh: float = FRESH_SECONDS,
        patience: float = PATIENCE_SECONDS,
        stalled: float = STALLED_SECONDS,
    ) -> None:
        self._look = look
        self._fresh = fresh
        self._patience = patience
        self._stalled = stalled
        self._asked = threading.Lock()
        self._looking = ThreadPoolExecutor(1, "look")
        self._under_way: Future[None] | None = None
        self._newest = first
        self._started = self._ended = 0.0

    def newest(self) -> LakeLook:
        """The newest look, within the limits for its age and for the wait."""
        with self._asked:
            looking = self._under_way and not self._under_way.done()
            fresh = self._ended and time.monotonic() - self._ended < self._rest
            if not looking and not fresh:
                self._started = time.monotonic()
                self._under_way = self._looking.submit(self._renew)
            under_way = self._under_way
        if under_way:
            wait([under_way], self._patience)
            if under_way.done():
                under_way.result()  # raises an unexpected error of the look
            elif (taken := time.monotonic() - self._started) > self._most:
                return self._newest.unanswered(f"The store lets a look take {taken:.0f} s by now.")
        return self._newest

    @property
    def _rest(self) -> float:
        last = self._newest
        return last.seconds if last.up and last.seconds > LONG_SECONDS else self._fresh

    @property
    def _most(self) -> float:
        return max(self._stalled, STALLED_LOOKS * self._newest.seconds)

    def _renew(self) -> None:
        self._newest = self._look(self._newest)
        self._ended = time.monotonic()
