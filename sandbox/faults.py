"""What can go wrong between a pipeline and a paged API, on demand."""

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
"""How a body is cut: not, below its Content-Length, or before the last chunk."""

Body = Literal["", "html", "object", "empty", "half", "text"]
"""What a list page holds: the page, or one of the bodies that `Faults.body` explains."""

Wait = Literal[
    "seconds", "blanks", "fraction", "date", "rfc850", "asctime", "past", "negative", "words", ""
]
"""How a Retry-After is written: whole seconds, those among blanks, seconds with a fraction, the
three dates of HTTP; a date that is past, seconds below 0, no time at all; not at all."""


@dataclass(frozen=True)
class Faults:
    """Faults of the local API. The default is the real server on a good day.

    What is random follows `seed` and the order in which requests arrive; every new `Faults` given
    to a server starts its counts and its chance again.

    Raises:
        ValueError: if a value is out of its range, naming the field.
    """

    latency_seconds: float = 0.0
    """Wait so long before each answer."""

    error_rate: float = 0.0
    """Share of requests, 0 to 1, that get 500 (from the application) or 502 or 503 (from a proxy,
    in HTML whatever was asked for)."""

    reset_rate: float = 0.0
    """Share of requests, 0 to 1, whose connection is reset (a TCP RST) instead of an answer."""

    busy_rate: float = 0.0
    """Share of requests, 0 to 1, that get 429 as if the client were over the rate limit, which it
    need not be near. What has no rate limit, as `/`, has none of these."""

    busy_status: int = 429
    """What they get instead of 429."""

    retry_after_seconds: float = 60
    """How long they ask the client to wait, in their Retry-After."""

    retry_after: Wait = "seconds"
    """How every Retry-After is written, that of the rate limit too."""

    fail_first: int = 0
    """So many of the first answers to each list page are 503: retries meet it in every page."""

    cut_rate: float = 0.0
    """Share of 200 answers, 0 to 1, whose connection closes halfway through the body: by turns one
    with a Content-Length and a chunked one."""

    drip_seconds: float = 0.0
    """Each list body takes so long to come: a few bytes at a time, with short pauses, under a
    Content-Length. No single read takes long; the whole does."""

    rate_limit: int = 120
    """Requests that a client address may make in a window, 0 for any number. Over it: 429."""

    rate_window_seconds: float = 60.0
    """Length of that window, which starts with the first request in it."""

    change_after: int = 0
    """After so many list pages the data change: one record is removed, one added, one changed, so
    meta's total stays and later pages shift. 0 for never."""

    change_times: int = 1
    """How often that happens, each time after another `change_after` pages."""

    broken_pages: frozenset[int] = frozenset()
    """List pages that always answer 500."""

    body: Body = ""
    """What every list page holds instead, with status 200: an HTML page, a JSON object, `[]`, the
    first half of the JSON with a Content-Length that fits, plain text."""

    malformed_rate: float = 0.0
    """Share of 200 list answers, 0 to 1, that hold something else instead, by turns the `body`
    "html", "object" and "half". The others hold what `body` says."""

    cache_seconds: float = 0.0
    """A shared cache in front keeps each answer that says it may be kept, so long at most, and
    gives it to all who ask for the same address, with its Age, even if they say no-cache. 0 for no
    cache."""

    old_meta: bool = False
    """Meta as before 2025: only total, page and per_page, as strings."""

    string_coordinates: bool = False
    """Longitude and latitude as strings, as before 2025."""

    drop: int = 0
    """So many records that meta counts are missing from the list."""

    duplicate: int = 0
    """So many records are listed twice, half the list apart, and counted once by meta. With an
    equal `drop` the list is as long as it should be."""

    seed: int = 0
    """Where chance starts."""

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
    """Counts requests in a fixed window for each client, as Laravel's throttle does.

    A window starts with the client's first request after the last one ended. Requests over the
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
        """Count one request: how many are left, and the seconds to wait if it was one too many."""
        now = self._clock()
        ends, used = self._windows.get(client, (0.0, 0))
        if now >= ends:
            ends, used = now + self._window_seconds, 0
        if used >= self._limit:
            return 0, ends - now
        self._windows[client] = (ends, used + 1)
        return self._limit - used - 1, None


class Mischief:
    """Decides, request by request, what `Faults` do. For the server's thread only."""

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
        """Whether to ask the client to wait, though it is not over the rate limit."""
        return self._happens(self.faults.busy_rate)

    def throttle(self, client: str) -> tuple[int, float | None] | None:
        """Count one request: as `RateLimiter.hit`, None if there is no limit to speak of."""
        return self.limiter.hit(client) if self.faults.rate_limit else None

    def retry_after(self, seconds: float) -> str:
        """The Retry-After that asks for a wait; "" for none."""
        now = datetime.now(timezone.utc)
        # A date has no fractions, so it is the second that comes after.
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
        """Whether to reset the connection instead of an answer."""
        return self._happens(self.faults.reset_rate)

    def error(self) -> int:
        """The status of a fault in place of an answer, 0 for none."""
        return self.random.choice((500, 502, 503)) if self._happens(self.faults.error_rate) else 0

    def page_error(self, page: int) -> int:
        """The status of a fault in place of this list page, 0 for none."""
        self._attempts[page] += 1
        if page in self.faults.broken_pages:
            return 500
        return 503 if self._attempts[page] <= self.faults.fail_first else 0

    def cut(self) -> Cut:
        """How to cut this body, "" for not at all."""
        return next(self._cuts) if self._happens(self.faults.cut_rate) else ""

    def body(self) -> Body:
        """What this list answer holds, "" for the page itself."""
        malformed = self._happens(self.faults.malformed_rate)
        return next(self._malformed) if malformed else self.faults.body

    def change_is_due(self) -> bool:
        """Count one answered list page: whether the data change now."""
        self._pages += 1
        after, times = self.faults.change_after, self.faults.change_times
        due = after > 0 and self._pages % after == 0 and self._changes < times
        self._changes += due
        return due

    def listing(self, rows: list[int], count: int) -> list[int]:
        """The rows of a list out of `count` records, without the dropped, with the doubled."""
        drop, duplicate = self.faults.drop, self.faults.duplicate
        if drop:
            rows = [row for row in rows if row < count - drop]
        if duplicate:
            middle = len(rows) // 2
            rows = rows[:middle] + rows[:duplicate] + rows[middle:]
        return rows

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate
