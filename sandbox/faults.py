"""Faults of a paged API, on demand."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import cycle
from typing import Literal, get_args

Cut = Literal["", "short", "chunked"]
"""How a body is cut: not at all, shorter than its Content-Length, or before the last chunk."""

Body = Literal["", "html", "object", "empty", "half", "text"]
"""The body of a list page: the page itself, or one of the bodies that `Faults.body` explains."""


@dataclass(frozen=True)
class Faults:
    """Faults of the local API. The default is the real server on a good day.

    Random faults follow `seed` and the order of the requests. Every new `Faults` of a server
    restarts its counts and its random numbers.

    Raises:
        ValueError: a value is out of its range; the message names the field.
    """

    latency_seconds: float = 0.0
    """The wait before each response."""

    error_rate: float = 0.0
    """Share of requests, 0 to 1, that get 500 (from the application), or 502 or 503 (from a proxy,
    always in HTML)."""

    reset_rate: float = 0.0
    """Share of requests, 0 to 1, whose connection is reset (a TCP RST) instead of a response."""

    busy_rate: float = 0.0
    """Share of requests, 0 to 1, that get 429 although the client is within the rate limit."""

    retry_after_seconds: float = 60
    """The wait in the Retry-After of these responses."""

    cut_rate: float = 0.0
    """Share of 200 responses, 0 to 1, whose connection closes halfway through the body, by turns
    with a Content-Length and chunked."""

    drip_seconds: float = 0.0
    """Each list body takes so long: a few bytes at a time, with short pauses, and a Content-Length.
    No single read is slow, but the whole body is."""

    rate_limit: int = 120
    """Requests per client address and window; more get 429. 0 for no limit."""

    rate_window_seconds: float = 60.0
    """The length of that window, which starts with its first request."""

    change_after: int = 0
    """The data change after so many list pages: one record is removed, one added, one changed. So
    meta's total stays the same, and later pages shift. 0 for never."""

    change_times: int = 1
    """How often the data change, each time after another `change_after` pages."""

    broken_pages: frozenset[int] = frozenset()
    """List pages that always get 500."""

    body: Body = ""
    """The body of every list page, with status 200: an HTML page, a JSON object, `[]`, the first
    half of the JSON with a matching Content-Length, or plain text."""

    malformed_rate: float = 0.0
    """Share of 200 list responses, 0 to 1, with another body: by turns "html", "object" and "half".
    The others have the body of `body`."""

    cache_seconds: float = 0.0
    """A shared cache in front stores each whole response for so long. Like many, it serves it to
    all requests for the same address, even if they say no-cache. 0 for no cache."""

    old_meta: bool = False
    """Meta as before 2025: only total, page and per_page, all strings."""

    string_coordinates: bool = False
    """Longitude and latitude as strings, as before 2025."""

    drop: int = 0
    """So many records are in meta's counts, but not in the list."""

    duplicate: int = 0
    """So many records are twice in the list, half the list apart, but once in meta's counts. With
    an equal `drop`, the list has the right length."""

    seed: int = 0
    """The seed of the random numbers."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and value < 0 and field.name != "seed":
                raise ValueError(f"{field.name} must not be negative, not {value}")
            if field.name.endswith("_rate") and value > 1:
                raise ValueError(f"{field.name} is a share of 1, not {value}")
        if self.body not in get_args(Body):
            raise ValueError(f"body is not one of the bodies: {self.body!r}")


class FaultInjector:
    """Decides the faults of each request. Only for the server's thread."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.random = random.Random(faults.seed)
        self._windows: dict[str, tuple[float, int]] = {}
        self._cache: dict[str, tuple[float, bytes, str]] = {}
        self._cuts: Iterator[Cut] = cycle(("short", "chunked"))
        self._malformed: Iterator[Body] = cycle(("html", "object", "half"))
        self._pages = 0
        self._changes = 0

    def seconds_to_wait(self, client: str) -> float:
        """Count one request; the wait that its client is asked for, 0 for none.

        As in Laravel's throttle, a window starts with the client's first request after the last.
        """
        if self._happens(self.faults.busy_rate):
            return self.faults.retry_after_seconds
        now = time.monotonic()
        ends, used = self._windows.get(client, (0.0, 0))
        if now >= ends:
            ends, used = now + self.faults.rate_window_seconds, 0
        self._windows[client] = ends, used + 1
        return ends - now if 0 < self.faults.rate_limit <= used else 0.0

    def store(self, address: str, body: bytes, kind: str) -> None:
        """Put a response into the shared cache, if there is one."""
        if self.faults.cache_seconds:
            self._cache[address] = time.monotonic() + self.faults.cache_seconds, body, kind

    def stored(self, address: str) -> tuple[bytes, str] | None:
        """The body and the content type that the shared cache has for an address."""
        ends, body, kind = self._cache.get(address, (0.0, b"", ""))
        return (body, kind) if time.monotonic() < ends else None

    def reset(self) -> bool:
        """Whether to reset the connection instead of a response."""
        return self._happens(self.faults.reset_rate)

    def error(self) -> int:
        """The status of a fault instead of the response, 0 for none."""
        return self.random.choice((500, 502, 503)) if self._happens(self.faults.error_rate) else 0

    def cut(self) -> Cut:
        """How to cut this body, "" for not at all."""
        return next(self._cuts) if self._happens(self.faults.cut_rate) else ""

    def body(self) -> Body:
        """The body of this list response, "" for the page itself."""
        malformed = self._happens(self.faults.malformed_rate)
        return next(self._malformed) if malformed else self.faults.body

    def change_is_due(self) -> bool:
        """Count one list page; returns whether the data change now."""
        self._pages += 1
        after, times = self.faults.change_after, self.faults.change_times
        due = after > 0 and self._pages % after == 0 and self._changes < times
        self._changes += due
        return due

    def listing(self, rows: list[int], count: int) -> list[int]:
        """The rows of a list of `count` records, without the dropped and with the doubled ones."""
        drop, duplicate = self.faults.drop, self.faults.duplicate
        if drop:
            rows = [row for row in rows if row < count - drop]
        if duplicate:
            middle = len(rows) // 2
            rows = rows[:middle] + rows[:duplicate] + rows[middle:]
        return rows

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate
