"""A shared cache in front of the local API, like that of a content delivery network."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A stored response with status 200."""

    body: bytes
    content_type: str
    cache_control: str
    since: float
    """When it was stored, by the cache's clock."""
    seconds: float
    """How long it may be served."""


class SharedCache:
    """Stores responses by the full address. Like many caches, it ignores a request's `no-cache`.

    Args:
        most_seconds: how long to store a response at most; its `max-age` may be shorter. 0 for no
            cache.
        clock: returns seconds.
    """

    def __init__(self, most_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_seconds = most_seconds
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def keep(self, address: str, body: bytes, content_type: str, cache_control: str) -> None:
        """Store a response if it permits shared caches to do so."""
        directives = cache_control.split(", ")
        age = re.search(r"max-age=(\d+)", cache_control)
        if self._most_seconds and age and "public" in directives:
            seconds = min(self._most_seconds, float(age[1]))
            self._kept[address] = Kept(body, content_type, cache_control, self._clock(), seconds)

    def find(self, address: str) -> tuple[Kept, int] | None:
        """The stored response of an address, and its age in seconds; None if missing or too old."""
        kept = self._kept.get(address)
        age = self._clock() - kept.since if kept else 0.0
        return (kept, int(age)) if kept and age < kept.seconds else None
