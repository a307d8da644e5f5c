"""A polite HTTP client: few connections, a rate limit, retries and one time limit.

It does not know what an API contains; a flow's `Api` does.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from pyrate_limiter import Duration, Limiter, Rate
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_after_attempt,
    stop_when_event_set,
    wait_exponential,
    wait_random,
)
from typing_extensions import Self

from .. import __version__
from ..host.network import session
from ..settings import FlowSettings
from .errors import (
    ApiBodyMalformed,
    ApiBusy,
    ApiGaveUp,
    ApiLeadsAway,
    ApiRefused,
    ApiTokenRefused,
    ApiUnreachable,
    RetriableApiError,
)

T = TypeVar("T")
R = TypeVar("R")

LONGEST_BACKOFF = 30.0  # seconds; the server's Retry-After may ask for more
CHUNK = 64 << 10
TRIED_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
"""The statuses below 500 that are retried. Every status from 500 on is retried too."""
OF_THE_NETWORK = (OSError, HTTPException, urllib3.exceptions.HTTPError)
LARGEST_BODY = 64 << 20  # bytes; the largest page of the real API has 86 kB


@dataclass(frozen=True)
class Response:
    """A response with status 200: its text, its headers and the requested address."""

    text: str
    headers: Mapping[str, str]
    url: str


class Client:
    """Sends requests to an API within the limits of the settings; a context manager.

    Each request has the headers too. Public methods raise `FatalApiError`.
    """

    def __init__(self, settings: FlowSettings, headers: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self.url = settings.api_url
        self._deadline = time.monotonic() + settings.api_time_limit
        self._stopped = threading.Event()
        limit = settings.api_requests_per_minute
        self._limiter = Limiter(Rate(limit, Duration.MINUTE)) if limit else None
        self._session = session(settings.api_connections)
        self._session.headers.update(
            {
                # Without this header, the server redirects errors to a page with status 200.
                "Accept": "application/json",
                "User-Agent": f"{settings.prefix.lower().rstrip('_')}/{__version__}",
                # A response from a shared cache may be old.
                "Cache-Control": "no-cache",
                **(headers or {}),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._session.close()

    def get(
        self,
        url: str,
        parameters: Mapping[str, Any],
        read: Callable[[Response], T],
        unique: str = "",
    ) -> T:
        """GET with retries, until `read` accepts a response. Errors name the address and query.

        Args:
            url: the address without its query.
            parameters: the parameters of the query.
            read: parses a response; raises ValueError, TypeError or LookupError if it cannot.
            unique: the name of one more parameter, with a new value in each attempt, so that no
                shared cache has a response; "" if the server refuses unknown parameters.
        """
        address = _address(url, parameters)
        self._refuse_another_host(url)
        doubling = wait_exponential(multiplier=self._settings.api_backoff, max=LONGEST_BACKOFF)
        backoff = doubling + wait_random(0, self._settings.api_backoff)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, ApiBusy) else None
            return max(asked or 0.0, backoff(state))

        attempts = stop_after_attempt(self._settings.api_attempts)
        enough = attempts | stop_when_event_set(self._stopped)
        result: T = Retrying(
            retry=retry_if_exception_type(RetriableApiError),
            wait=wait,
            stop=lambda state: enough(state) or state.upcoming_sleep > self._seconds_left(),
            sleep=sleep_using_event(self._stopped),
            retry_error_callback=partial(self._give_up, address),
        )(self._try, url, parameters, read, unique, address)
        return result

    def in_order(self, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the result of each item, in order; a few items are requested ahead."""
        waiting: deque[Future[R]] = deque()
        with ThreadPoolExecutor(self._settings.api_connections) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(ask, item))
                    if len(waiting) == 2 * self._settings.api_connections:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BaseException:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _give_up(self, address: str, state: RetryCallState) -> NoReturn:
        settings = self._settings
        last = state.outcome.exception() if state.outcome else None
        if not isinstance(last, RetriableApiError):  # tenacity retries only these
            raise TypeError(f"unexpected {last!r}")
        limit = f"{settings.name_of('API_ATTEMPTS')} is {settings.api_attempts}"
        if state.attempt_number < settings.api_attempts:
            limit = f"{settings.name_of('API_TIME_LIMIT_SECONDS')} is {settings.api_time_limit:g}"
        setting = settings.name_of("API_URL")
        raise ApiGaveUp(address, state.attempt_number, str(last), limit, setting) from last

    def _refuse_another_host(self, url: str) -> None:
        """A page can link to the next one, but only the API of the settings may get the token."""
        ours, theirs = urlsplit(self.url), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise ApiLeadsAway(self.url, url, self._settings.name_of("API_URL"))

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _try(
        self,
        url: str,
        parameters: Mapping[str, Any],
        read: Callable[[Response], T],
        unique: str,
        address: str,
    ) -> T:
        left = self._seconds_left()
        if self._limiter and not self._limiter.try_acquire("requests", timeout=left):
            setting = self._settings.name_of("API_REQUESTS_PER_MINUTE")
            raise ApiUnreachable(address, f"{setting} allows no request in time")
        sent = {**parameters, unique: secrets.token_hex(8)} if unique else parameters
        timeout = min(self._settings.api_timeout, max(left, 0.001))
        end = time.monotonic() + timeout
        try:
            with self._session.get(
                url, params=sent, timeout=timeout, allow_redirects=False, stream=True
            ) as response:
                body = _body(response, address, end)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ApiUnreachable(address, _cause(error)) from None
        _refuse_errors(response, body, address, self._settings)
        try:
            return read(Response(body.decode("utf-8"), response.headers, url))
        except (ValueError, TypeError, LookupError) as error:
            raise ApiBodyMalformed(address, _describe(response, body, error)) from None


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """The seconds of a response's `Retry-After`, which is a number or an HTTP date.

    Returns:
        A finite number, 0 or more; None if it is missing or malformed.
    """
    asked = headers.get("Retry-After", "")
    try:
        seconds = float(asked)
    except ValueError:
        until = _moment(asked)
        if until is None:
            return None
        # Use the server's clock if it sends its time, because ours may be wrong.
        now = _moment(headers.get("Date", "")) or datetime.now(timezone.utc)
        return max(0.0, (until - now).total_seconds())
    return seconds if 0 <= seconds < math.inf else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _address(url: str, parameters: Mapping[str, Any]) -> str:
    """The full address with its query, for a person to open."""
    try:
        return requests.Request("GET", url, params=parameters).prepare().url or url
    except requests.RequestException:
        return url


def _body(response: requests.Response, url: str, end: float) -> bytes:
    """Read the body within the time limit; `requests` limits only the time of one read."""
    body = bytearray()
    # read1 returns what has arrived; `iter_content` would wait for a whole piece.
    while piece := response.raw.read1(CHUNK, decode_content=True):
        body += piece
        if time.monotonic() > end:
            reason = f"its response had not ended after {len(body):,} bytes, in time"
            raise ApiUnreachable(url, reason)
        if len(body) > LARGEST_BODY:
            raise ApiBodyMalformed(url, f"a body of more than {LARGEST_BODY:,} bytes")
    return bytes(body)


def _refuse_errors(
    response: requests.Response, body: bytes, url: str, settings: FlowSettings
) -> None:
    if response.status_code in TRIED_AGAIN or response.status_code >= 500:
        raise ApiBusy(url, response.status_code, seconds_asked(response.headers))
    if response.status_code == requests.codes.ok:
        return
    where = response.headers.get("Location")
    answer = f"a redirect to {where}" if where else body[:200].decode("utf-8", "replace")
    answer = " ".join(answer.split())
    if response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        setting = settings.name_of("API_TOKEN")
        problem = "is not accepted" if settings.api_token.get_secret_value() else "is not set"
        raise ApiTokenRefused(url, response.status_code, answer, setting, problem)
    names = settings.name_of("API_URL"), settings.name_of("API_PAGE_SIZE")
    raise ApiRefused(url, response.status_code, answer, " and ".join(names))


def _describe(response: requests.Response, body: bytes, error: Exception) -> str:
    kind = response.headers.get("Content-Type", "no type").split(";")[0]
    return f"a body that cannot be used: {error} ({kind}, {len(body)} bytes)"


def _cause(error: BaseException) -> str:
    """The root cause of a `requests` exception, without the texts of the exceptions around it.

    The chain may continue with an exception that Mage was handling, which is not a cause.
    """
    inner = error
    while isinstance(deeper := inner.__cause__ or inner.__context__, OF_THE_NETWORK):
        inner = deeper
    return f"{type(error).__name__}: {inner}"
