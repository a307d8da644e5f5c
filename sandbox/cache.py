"""A shared cache in front of the local API, as a content delivery network keeps one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """An answer of status 200."""

    body: bytes
    content_type: str
    cache_control: str
    since: float
    """When it was kept, by the cache's clock."""
    seconds: float
    """For how long it may be given."""


class SharedCache:
    """Keeps answers by the whole address; like many caches, it ignores a request's `no-cache`.

    Args:
        most_seconds: to keep an answer, if its own `max-age` is not shorter; 0 for no cache.
        clock: seconds.
    """

    def __init__(self, most_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_seconds = most_seconds
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def keep(self, address: str, body: bytes, content_type: str, cache_control: str) -> None:
        """Keep an answer, if it says that a shared cache may."""
        directives = cache_control.split(", ")
        age = re.search(r"max-age=(\d+)", cache_control)
        if self._most_seconds and age and "public" in directives:
            seconds = min(self._most_seconds, float(age[1]))
            self._kept[address] = Kept(body, content_type, cache_control, self._clock(), seconds)

    def find(self, address: str) -> tuple[Kept, int] | None:
        """What is kept of an address, with its age in seconds; None if that is nothing, or old."""
        kept = self._kept.get(address)
        age = self._clock() - kept.since if kept else 0.0
        return (kept, int(age)) if kept and age < kept.seconds else None
