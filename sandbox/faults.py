"""Faults of a paged API, on demand."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import cycle
from typing import Literal, get_args

from .cache import SharedCache

Cut = Literal["", "short", "chunked"]
"""How a body is cut: not at all, shorter than its Content-Length, or before the last chunk."""

Body = Literal["", "html", "object", "empty", "half", "text"]
"""The body of a list page: the page itself, or one of the bodies that `Faults.body` explains."""

Wait = Literal[
    "seconds", "blanks", "fraction", "date", "rfc850", "asctime", "past", "negative", "words", ""
]
"""The form of a Retry-After: whole seconds, seconds with spaces around, seconds with a fraction,
the three HTTP dates, a past date, negative seconds, words without a time, or no header."""


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
    """Share of requests, 0 to 1, that get 429 although the client is within the rate limit. Paths
    without a rate limit, such as `/`, have no such faults."""

    busy_status: int = 429
    """The status of these responses."""

    retry_after_seconds: float = 60
    """The wait in the Retry-After of these responses."""

    retry_after: Wait = "seconds"
    """The form of every Retry-After, also of the rate limit's."""

    fail_first: int = 0
    """So many first responses of each list page are 503, so that every page needs retries."""

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
    """A shared cache in front stores each cacheable response for at most so long. It serves it to
    all requests for the same address, with an Age, even if they say no-cache. 0 for no cache."""

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
        if self.retry_after not in get_args(Wait):
            raise ValueError(f"retry_after is not one of the forms: {self.retry_after!r}")
        if self.body not in get_args(Body):
            raise ValueError(f"body is not one of the bodies: {self.body!r}")


class RateLimiter:
    """Counts each client's requests in a fixed window, as Laravel's throttle does.

    A window starts with the client's first request after the previous window. Requests over the
    limit are not counted.
    """

    def __init__(
        self, limit: int, window_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._window_seconds = window_seconds
        self._clock = clock
        self._windows: dict[str, tuple[float, int]] = {}

    def hit(self, client: str) -> tuple[int, float | None]:
        """Count a request; returns how many are left, and the seconds to wait if there is none."""
        now = self._clock()
        ends, used = self._windows.get(client, (0.0, 0))
        if now >= ends:
            ends, used = now + self._window_seconds, 0
        if used >= self._limit:
            return 0, ends - now
        self._windows[client] = (ends, used + 1)
        return self._limit - used - 1, None


class FaultInjector:
    """Decides the faults of each request. Only for the server's thread."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.limiter = RateLimiter(faults.rate_limit, faults.rate_window_seconds)
        self.cache = SharedCache(faults.cache_seconds)
        self.random = random.Random(faults.seed)
        self._attempts: Counter[int] = Counter()
        self._cuts: Iterator[Cut] = cycle(("short", "chunked"))
        self._malformed: Iterator[Body] = cycle(("html", "object", "half"))
        self._pages = 0
        self._changes = 0

    def busy(self) -> bool:
        """Whether to ask the client to wait although it is within the rate limit."""
        return self._happens(self.faults.busy_rate)

    def throttle(self, client: str) -> tuple[int, float | None] | None:
        """Count one request, as `RateLimiter.hit`; None if there is no limit."""
        return self.limiter.hit(client) if self.faults.rate_limit else None

    def retry_after(self, seconds: float) -> str:
        """The value of Retry-After for a wait; "" for no header."""
        now = datetime.now(timezone.utc)
        # A date has no fraction, so round up to the next second.
        until = now + timedelta(seconds=math.ceil(seconds) + 1)
        forms: dict[Wait, str] = {
            "seconds": f"{math.ceil(seconds)}",
            "blanks": f"  {math.ceil(seconds)}  ",
            "fraction": f"{seconds + 0.125:.3f}",
            "date": format_datetime(until, usegmt=True),
            "rfc850": f"{until:%A, %d-%b-%y %H:%M:%S} GMT",
            "asctime": f"{until:%a %b} {until.day:2} {until:%H:%M:%S %Y}",
            "past": format_datetime(now - timedelta(days=1), usegmt=True),
            "negative": f"-{math.ceil(seconds)}",
            "words": "in a moment",
            "": "",
        }
        return forms[self.faults.retry_after]

    def reset(self) -> bool:
        """Whether to reset the connection instead of a response."""
        return self._happens(self.faults.reset_rate)

    def error(self) -> int:
        """The status of a fault instead of the response, 0 for none."""
        return self.random.choice((500, 502, 503)) if self._happens(self.faults.error_rate) else 0

    def page_error(self, page: int) -> int:
        """The status of a fault instead of this list page, 0 for none."""
        self._attempts[page] += 1
        if page in self.faults.broken_pages:
            return 500
        return 503 if self._attempts[page] <= self.faults.fail_first else 0

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
