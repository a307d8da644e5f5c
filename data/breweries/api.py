"""The Open Brewery DB client: every record, proved complete.

The API behaves as github.com/openbrewerydb/openbrewerydb-laravel-api of August 2026: bare arrays of
at most 200 records a page, `/meta` with a total and counts, 120 requests a minute.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import time
import unicodedata
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from pyrate_limiter import Duration, Limiter, Rate
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential
from tqdm import tqdm
from typing_extensions import Self

from . import __version__
from .errors import (
    ApiBodyMalformed,
    ApiBusy,
    ApiEmpty,
    ApiGaveUp,
    ApiRefused,
    ApiUnreachable,
    CrawlIncomplete,
    RetriableApiError,
)
from .manifest import Check
from .records import array_lines, parse, split_array
from .settings import Settings

T = TypeVar("T")

LONGEST_BACKOFF = 30.0  # seconds; the server may still ask for more by Retry-After
CHUNK = 64 << 10
LARGEST_BODY = 64 << 20  # bytes; the largest page of the real API has 86 kB
FACETS = {  # what `/meta` counts by, to the fields of a record that hold it
    "by_type": ("brewery_type",),
    "by_country": ("country",),
    "by_state": ("state_province", "state"),
}


@dataclass(frozen=True)
class Meta:
    """What `/meta` says: the total, and the total by facet (empty where an old server has none)."""

    total: int
    facets: dict[str, Counter[str]]

    @classmethod
    def parse(cls, body: Any) -> Meta:
        """Read both shapes: numbers, and the strings that servers before 2025 sent.

        Raises:
            ValueError: it has neither shape.
        """
        if not isinstance(body, dict) or "total" not in body:
            raise ValueError("a body without a total")
        facets = {}
        for name in FACETS:
            # PHP writes an empty map as `[]`.
            counts = body.get(name) or {}
            if not isinstance(counts, dict):
                raise ValueError(f"{name} that is no object")
            if counts:
                facets[name] = fold({key: int(count) for key, count in counts.items()})
        return cls(int(body["total"]), facets)

    def differences(self, later: Meta) -> dict[str, dict[str, int]]:
        """What changed until a later answer: name to the counts then and now."""
        if self == later:
            return {}
        return {"/meta total before and after": {"fetched": self.total, "told": later.total}}


class Tally:
    """What the records fetched add up to; their ids are kept on disk, so any number may come."""

    def __init__(self) -> None:
        self.records = 0
        self.facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        self._nameless = 0
        self._ids = sqlite3.connect("")  # a temporary file, gone with the connection
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, record: Any) -> None:
        """Count one record of any shape; a repeated id counts once."""
        self.records += 1
        identity = record.get("id") if isinstance(record, dict) else None
        if not isinstance(identity, str) or not identity:
            self._nameless += 1
        elif not self._is_new(identity):
            return
        if isinstance(record, dict):
            for name, columns in FACETS.items():
                value = next((record[c] for c in columns if record.get(c) is not None), None)
                if value is not None:
                    self.facets[name][str(value)] += 1

    def _is_new(self, identity: str) -> bool:
        # As bytes, since an id may hold half a surrogate pair.
        key = identity.encode("utf-8", "surrogatepass")
        return self._ids.execute("INSERT OR IGNORE INTO ids VALUES (?)", (key,)).rowcount == 1

    @property
    def distinct(self) -> int:
        """Distinct ids, and each record without one as itself."""
        (named,) = self._ids.execute("SELECT count(*) FROM ids").fetchone()
        return int(named) + self._nameless

    def differences(self, meta: Meta) -> dict[str, dict[str, int]]:
        """Where it is not what `/meta` says: name to the counts fetched and told."""
        found = {}
        if self.distinct != meta.total:
            found["total"] = {"fetched": self.distinct, "told": meta.total}
        for name, told in meta.facets.items():
            fetched = fold(self.facets[name])
            for key in sorted(told.keys() | fetched.keys()):
                if fetched[key] != told[key]:
                    found[f"{name} {key}"] = {"fetched": fetched[key], "told": told[key]}
        return found

    def checks(self, meta: Meta) -> tuple[Check, ...]:
        """The proof of completeness, as a manifest keeps it."""
        total = Check(
            name="distinct records = /meta total", expected=meta.total, found=self.distinct
        )
        recounts = (
            Check(
                name=f"values of /meta {name}",
                expected=len(told),
                found=len(fold(self.facets[name])),
            )
            for name, told in meta.facets.items()
        )
        return (total, *recounts)


def fold(counts: Mapping[str, int]) -> Counter[str]:
    """Add up counts of keys that differ only in case, accents or spaces.

    A server's collation may count two spellings as one. Completeness is proved all the same, since
    no record changes its folded key by being fetched.
    """
    folded = Counter[str]()
    for key, count in counts.items():
        letters = unicodedata.normalize("NFKD", key.casefold())
        base = "".join(letter for letter in letters if not unicodedata.combining(letter))
        folded[" ".join(base.split())] += count
    return folded


class BreweryApi:
    """A polite client: few connections, a limit of requests a minute, retries, one time limit.

    Use as a context manager. Public methods raise `ApiRefused` and `ApiGaveUp`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._deadline = time.monotonic() + settings.api_time_limit
        self._stopped = threading.Event()
        self._limiter = (
            Limiter(Rate(settings.api_requests_per_minute, Duration.MINUTE))
            if settings.api_requests_per_minute
            else None
        )
        self._session = requests.Session()
        self._session.mount(
            f"{urlsplit(settings.api_url).scheme}://",
            requests.adapters.HTTPAdapter(pool_maxsize=settings.api_connections),
        )
        # Without this Accept the server answers an error by a redirect to a page that says 200.
        self._session.headers.update(
            {"Accept": "application/json", "User-Agent": f"breweries/{__version__}"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._session.close()

    def meta(self) -> Meta:
        """What the API says it has."""

        def read(text: str) -> Meta:
            return Meta.parse(parse(text.strip())[0])

        return self._get(f"{self._settings.api_url}/meta", {}, read)

    def page(self, number: int) -> list[tuple[str, Any]]:
        """The records of one page, from 1 on: each as its text and its value."""
        parameters = {
            "page": number,
            "per_page": self._settings.api_page_size,
            # The server gives no order of its own; by id, a page has the same rows each time.
            "sort": "id:asc",
        }
        return self._get(self._settings.api_url, parameters, split_array)

    def pages(self, total: int) -> Iterator[list[tuple[str, Any]]]:
        """All pages, in order, a few fetched ahead.

        They are those that a total of records fills, up to one that is not full, and more where
        it is after all: the list may be longer than the total. Not without end, as a server may
        ignore `page`.
        """
        size = self._settings.api_page_size
        expected = total // size + 1
        ahead = 2 * self._settings.api_connections
        waiting: deque[Future[list[tuple[str, Any]]]] = deque()
        with ThreadPoolExecutor(self._settings.api_connections) as pool:
            try:
                for number in range(1, 2 * expected + 1):
                    if number > expected:
                        while waiting:
                            yield (page := waiting.popleft().result())
                        if len(page) < size:
                            break
                    waiting.append(pool.submit(self.page, number))
                    if len(waiting) >= ahead:
                        yield (page := waiting.popleft().result())
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _get(self, url: str, parameters: dict[str, Any], read: Callable[[str], T]) -> T:
        """GET until a body can be read, within the limits of the settings."""
        settings = self._settings
        backoff = wait_random_exponential(multiplier=settings.api_backoff, max=LONGEST_BACKOFF)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, RetriableApiError) else None
            return max(asked or 0.0, backoff(state))

        def stop(state: RetryCallState) -> bool:
            late = state.upcoming_sleep > self._seconds_left()
            return late or self._stopped.is_set() or state.attempt_number >= settings.api_attempts

        def sleep(seconds: float) -> None:
            self._stopped.wait(seconds)

        def give_up(state: RetryCallState) -> T:
            last = state.outcome.exception() if state.outcome else None
            if not isinstance(last, RetriableApiError):  # tenacity stops on no other
                raise TypeError(f"unexpected {last!r}")
            limit = (
                f"BREWERIES_API_ATTEMPTS is {settings.api_attempts}"
                if state.attempt_number >= settings.api_attempts
                else f"BREWERIES_API_TIME_LIMIT_SECONDS is {settings.api_time_limit:g}"
            )
            raise ApiGaveUp(url, state.attempt_number, last, limit) from last

        result: T = Retrying(
            retry=retry_if_exception_type(RetriableApiError),
            wait=wait,
            stop=stop,
            sleep=sleep,
            retry_error_callback=give_up,
        )(self._try, url, parameters, read)
        return result

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _try(self, url: str, parameters: dict[str, Any], read: Callable[[str], T]) -> T:
        left = self._seconds_left()
        if self._limiter and not self._limiter.try_acquire("requests", timeout=left):
            raise ApiUnreachable(url, "BREWERIES_API_REQUESTS_PER_MINUTE allows no request in time")
        timeout = min(self._settings.api_timeout, max(left, 0.001))
        end = time.monotonic() + timeout
        try:
            with self._session.get(
                url, params=parameters, timeout=timeout, allow_redirects=False, stream=True
            ) as answer:
                body = _body(answer, url, end)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ApiUnreachable(url, _cause(error)) from None
        _refuse_errors(answer, body, url)
        try:
            return read(body.decode("utf-8"))
        except (ValueError, TypeError) as error:
            raise ApiBodyMalformed(url, _describe(answer, body, error)) from None


def _body(answer: requests.Response, url: str, end: float) -> bytes:
    """The whole body, unless it does not end: `requests` limits the time of one read only."""
    body = bytearray()
    # What has arrived, where `iter_content` would wait for a whole piece.
    while piece := answer.raw.read1(CHUNK, decode_content=True):
        body += piece
        if time.monotonic() > end:
            raise ApiUnreachable(
                url, f"its answer had not ended after {len(body):,} bytes, in time"
            )
        if len(body) > LARGEST_BODY:
            raise ApiBodyMalformed(url, f"a body of more than {LARGEST_BODY:,} bytes")
    return bytes(body)


def _refuse_errors(answer: requests.Response, body: bytes, url: str) -> None:
    if answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500:
        asked = answer.headers.get("Retry-After", "")
        raise ApiBusy(
            url, answer.status_code, float(asked) if re.fullmatch("[0-9]+", asked) else None
        )
    if answer.status_code != requests.codes.ok:
        where = answer.headers.get("Location")
        said = f"a redirect to {where}" if where else body[:200].decode("utf-8", "replace")
        raise ApiRefused(url, answer.status_code, " ".join(said.split()))


def _describe(answer: requests.Response, body: bytes, error: Exception) -> str:
    kind = answer.headers.get("Content-Type", "no type").split(";")[0]
    return f"a body that cannot be used: {error} ({kind}, {len(body)} bytes)"


def _cause(error: BaseException) -> str:
    """The innermost reason of an exception of requests, whose own text repeats the whole chain."""
    inner = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return f"{type(error).__name__}: {inner}"


@dataclass(frozen=True)
class Crawl:
    """A crawl proved complete: what was fetched, and what `/meta` said before and after it."""

    tally: Tally
    meta: Meta

    @property
    def checks(self) -> tuple[Check, ...]:
        """The proof, as the manifest keeps it."""
        return self.tally.checks(self.meta)


def crawl(settings: Settings, path: Path) -> Crawl:
    """Write every record of the API, as received, to a file (see `records`).

    The data may change under a crawl: it counts only if `/meta` says the same before and after and
    the records add up to it; else it is repeated, `BREWERIES_API_CRAWLS` times at most.

    Raises:
        ApiRefused, ApiGaveUp, ApiEmpty, CrawlIncomplete: nothing complete could be fetched.
    """
    with BreweryApi(settings) as api:
        for _ in range(settings.api_crawls):
            before = api.meta()
            if before.total == 0:
                raise ApiEmpty(settings.api_url)
            tally = _fetch(api, before.total, path)
            after = api.meta()
            differences = tally.differences(after) or before.differences(after)
            if not differences:
                return Crawl(tally, after)
    raise CrawlIncomplete(settings.api_url, settings.api_crawls, differences)


def _fetch(api: BreweryApi, total: int, path: Path) -> Tally:
    tally = Tally()

    def texts() -> Iterator[str]:
        with tqdm(total=total, desc="Open Brewery DB", unit=" breweries", mininterval=1) as bar:
            for page in api.pages(total):
                for text, record in page:
                    tally.add(record)
                    yield text
                bar.update(len(page))

    with path.open("wb") as file:
        file.writelines(array_lines(texts()))
    return tally
