"""A polite HTTP client: few connections, a rate limit, retries and one time limit.

It does not know what an API contains. A flow's `Api` says what a response means.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from .. import __version__
from ..host.network import session
from ..lake.batches import in_threads
from ..own_code import OwnCode
from ..settings import FlowSettings, known_secrets
from . import errors
from .auth import Auth, Login
from .exchange import Meaning, Request, Response

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

LONGEST_BACKOFF = 30.0  # seconds; the server's Retry-After may ask for more
CHUNK = 64 << 10
EPOCH = 1e8
"""An `X-RateLimit-Reset` from here on is in seconds since 1970, as GitHub sends it; else a wait."""
OF_THE_NETWORK = (OSError, HTTPException, urllib3.exceptions.HTTPError)
LARGEST_BODY = 64 << 20  # bytes as sent; the largest page of the real API has 86 kB


class Dialect(Protocol):
    """What a client must know of an API; `Api` says what each is."""

    headers: Mapping[str, str]
    unique: str
    encoding: str

    @property
    def auth(self) -> Auth: ...  # noqa: D102

    def meaning(self, response: Response) -> Meaning: ...  # noqa: D102


class Client(ExitStack):
    """Sends requests to an API within the limits of the settings; methods raise `FatalApiError`."""

    def __init__(self, api: Dialect, settings: FlowSettings) -> None:
        from pyrate_limiter import (  # readers import this module, and send nothing
            Duration,
            Limiter,
            Rate,
        )

        super().__init__()
        self._api = api
        self._settings = settings
        self._deadline = time.monotonic() + settings.api_time_limit
        self._stopped = threading.Event()
        rate = settings.api_requests_per_minute
        self._limiter = Limiter(Rate(rate, Duration.MINUTE)) if rate else None
        self._login = Login(api.auth, settings)
        self._session = session(settings.api_connections, settings.ca_file)
        self.enter_context(self._session)
        self.callback(self._stopped.set)
        self._session.headers.update(
            {
                # Without this header, the server redirects errors to a page with status 200.
                "Accept": "application/json",
                "User-Agent": f"{settings.prefix.lower().rstrip('_')}/{__version__}",
                # A response from a shared cache may be old.
                "Cache-Control": "no-cache",
                **api.headers,
            }
        )

    def send(
        self, request: Request, read: Callable[[Response], T], after_last: T | None = None
    ) -> T:
        """Send a request, and again until `read` accepts a response. Errors name the address.

        `read` parses a response, and raises ValueError if its body cannot be used. `after_last` is
        the result if the API says that there are no more pages; if it is None, a 404 is a refusal.
        """
        settings = self._settings
        # A page can link to the next one, but only the API of the settings may get the token.
        ours, theirs = urlsplit(settings.api_url), urlsplit(request.url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            setting = settings.name_of("API_URL")
            raise errors.CrossHostLink(ours.geturl(), request.url, setting)
        doubling = tenacity.wait_exponential(multiplier=settings.api_backoff, max=LONGEST_BACKOFF)
        backoff = doubling + tenacity.wait_random(0, settings.api_backoff)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, errors.ApiBusy) else None
            return max(asked or 0.0, backoff(state))

        attempts = tenacity.stop_after_attempt(settings.api_attempts)
        enough = attempts | tenacity.stop_when_event_set(self._stopped)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(errors.RetriableApiError),
            wait=wait,
            stop=lambda state: enough(state) or state.upcoming_sleep > self._seconds_left(),
            before_sleep=self._log_retry,
            sleep=tenacity.sleep_using_event(self._stopped),
            reraise=True,
        )
        try:
            result: T = retrying(self._try, request, read, after_last)
            return result
        except errors.RetriableApiError as last:
            raise self._given_up(request, retrying.statistics["attempt_number"], last) from last

    def in_order(self, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """The result of each item, in order; a few items are requested ahead."""
        threads = self._settings.api_connections
        return in_threads(threads, ask, items, ahead=2 * threads, stop=self._stopped.set)

    def _log_retry(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        tries = f"try {state.attempt_number + 1} of {self._settings.api_attempts}"
        pause = f"in {state.upcoming_sleep:.1f} s."
        logger.warning(known_secrets().text(f"{error} Next is {tries}, {pause}"))

    def _given_up(self, request: Request, attempts: int, last: Exception) -> errors.ApiGaveUp:
        settings = self._settings
        limit = f"{settings.name_of('API_ATTEMPTS')} is {settings.api_attempts}"
        if attempts < settings.api_attempts:
            limit = f"{settings.name_of('API_TIME_LIMIT_SECONDS')} is {settings.api_time_limit:g}"
        setting = settings.name_of("API_URL")
        if "CERTIFICATE_VERIFY_FAILED" in str(last):
            setting += " and LAKE_CA_FILE"
        return errors.ApiGaveUp(str(request), attempts, str(last), limit, setting)

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _try(
        self,
        request: Request,
        read: Callable[[Response], T],
        after_last: T | None,
        renewed: bool = False,
    ) -> T:
        login = self._login.number or 1  # the first request makes the first one
        response = self._answer(request)
        with OwnCode(self._api.meaning, f"the answer of {request}"):
            meaning = self._api.meaning(response)
        if response.status == HTTPStatus.UNAUTHORIZED and not renewed and self._login.renew(login):
            return self._try(request, read, after_last, renewed=True)
        if meaning == "wait":
            raise errors.ApiBusy(str(request), response.status, seconds_asked(response.headers))
        if meaning == "end" and after_last is not None:
            return after_last
        if meaning != "answer":
            raise self._refusal(request, response)
        try:
            return read(response)
        except ValueError as error:
            kind = response.headers.get("Content-Type", "no type").split(";")[0]
            problem = f"a body that cannot be used: {error} ({kind}, {len(response.content)} bytes)"
            raise errors.ApiBodyMalformed(str(request), problem) from None

    def _answer(self, request: Request) -> Response:
        """Send a request once."""
        left = self._seconds_left()
        if self._limiter and not self._limiter.try_acquire("requests", timeout=left):
            setting = self._settings.name_of("API_REQUESTS_PER_MINUTE")
            raise errors.ApiUnreachable(str(request), f"{setting} allows no request in time")
        timeout = min(self._settings.api_timeout, max(left, 0.001))
        end = time.monotonic() + timeout
        unique = {self._api.unique: secrets.token_hex(8)} if self._api.unique else {}
        try:
            with self._session.request(
                **request.parts(unique),
                auth=self._login,
                timeout=timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                # The connection still has the answer to come, which is no other request's.
                early = response.status_code < HTTPStatus.OK
                body = b"" if early else _body(response, str(request), end)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise errors.ApiUnreachable(str(request), _cause(error)) from None
        status, encoding = response.status_code, self._api.encoding
        return Response(body, response.headers, request.url, status, encoding)

    def _refusal(self, request: Request, response: Response) -> errors.FatalApiError:
        status, settings = response.status, self._settings
        answer = " ".join(response.content[:200].decode("utf-8", "replace").split())
        if where := response.headers.get("Location"):
            answer = f"a redirect to {where}"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            problem = "accepted" if self._login.signs else "set"
            return errors.ApiTokenRefused(
                str(request), status, answer, self._login.settings, problem
            )
        names = settings.name_of("API_URL"), settings.name_of("API_PAGE_SIZE")
        return errors.ApiRefused(str(request), status, answer, " and ".join(names))


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait by `Retry-After` (a number or an HTTP date), else `X-RateLimit-Reset`.

    They are finite, 0 or more; None if both are missing or malformed.
    """
    # Use the server's clock if it sends its time, because ours may be wrong.
    now = _moment(headers.get("Date", "")) or datetime.now(timezone.utc)
    asked = headers.get("Retry-After") or headers.get("X-RateLimit-Reset", "")
    try:
        seconds = float(asked)
    except ValueError:
        until = _moment(asked)
        return max(0.0, (until - now).total_seconds()) if until else None
    if "Retry-After" not in headers and seconds >= EPOCH:
        seconds = max(0.0, seconds - now.timestamp())
    return seconds if 0 <= seconds < math.inf else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _body(response: requests.Response, url: str, end: float) -> bytes:
    """Read the body within the time limit; `requests` limits only the time of one read."""
    body = bytearray()
    # read1 returns what has arrived; `iter_content` would wait for a whole piece.
    while piece := response.raw.read1(CHUNK, decode_content=True):
        body += piece
        if time.monotonic() > end:
            reason = f"its response had not ended after {len(body):,} bytes, in time"
            raise errors.ApiUnreachable(url, reason)
        if len(body) > LARGEST_BODY:
            raise errors.ApiBodyMalformed(url, f"a body of more than {LARGEST_BODY:,} bytes")
    return bytes(body)


def _cause(error: BaseException) -> str:
    """The root cause of a `requests` exception, without the texts of the exceptions around it.

    The chain may continue with an exception that Mage was handling, which is not a cause.
    """
    inner = error
    while isinstance(deeper := inner.__cause__ or inner.__context__, OF_THE_NETWORK):
        inner = deeper
    return f"{type(error).__name__}: {inner}"
