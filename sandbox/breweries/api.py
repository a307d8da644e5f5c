"""A local Open Brewery DB: serves given records on loopback, as the real server would.

It follows the Laravel server (github.com/openbrewerydb/openbrewerydb-laravel-api, commit 612fe38 of
2026-08-06) in all that our crawl uses: pages in the given order or by id, `/meta`, the rate limit
and errors. A filter gets 422, so that nobody mistakes the whole list for a filtered one.

Records may be any JSON. They are listed as they are, even if they do not look like breweries.
"""

from __future__ import annotations

import asyncio
import math
import re
import socket
import struct
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from ..faults import Body, Cut, FaultInjector, Faults
from ..local import LOOPBACK, LocalApi
from .dataset import Data, encode

PATH = "/v1/breweries"
REQUESTS_KEPT = 100_000

_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_FROM_A_PROXY = (502, 503)
_DRIP_PAUSE = 0.05  # seconds, much shorter than any read timeout


@dataclass
class Request:
    """A request to the server."""

    accept: str
    user_agent: str
    status: int | None = None
    """None while the request is active; 0 if the connection was reset."""
    cached: bool = False
    """Whether the response came from the shared cache of `Faults.cache_seconds`, not the API."""


class LocalBreweryApi(LocalApi):
    """The server.

        with LocalBreweryApi(generate()) as api:
            requests.get(api.url, params={"page": 1}, headers={"Accept": "application/json"})

    Any thread may replace `records` and `faults` while it runs. An active request still uses the
    old ones.

    Args:
        records: the records to serve, in the order of the unsorted list.
        faults: the faults; by default none, with the real rate limit.
        port: 0 for any free one.
        host: the address to listen on; use 127.0.0.1 outside a container.

    Raises:
        OSError: on entering, if the port is taken.
    """

    def __init__(
        self,
        records: Sequence[Any],
        *,
        faults: Faults | None = None,
        port: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        super().__init__(PATH, port, host)
        self.data = Data(records)
        self.injector = FaultInjector(faults or Faults())
        self.most_at_once = 0
        """The largest number of concurrent requests so far."""
        self._requests: deque[Request] = deque(maxlen=REQUESTS_KEPT)
        self._active = 0

    def application(self) -> Application:  # noqa: D102 - as LocalApi says
        routes = ((f"{PATH}/?", _List), (f"{PATH}/meta/?", _Meta), (".*", _Missing))
        return Application(
            [(pattern, handler, {"api": self}) for pattern, handler in routes],
            log_function=lambda handler: None,
        )

    @property
    def records(self) -> list[Any]:
        """The records that are served. Assign a new list to replace them: this one is a copy."""
        return list(self.data.records)

    @records.setter
    def records(self, records: Sequence[Any]) -> None:
        self.data = Data(records)

    @property
    def faults(self) -> Faults:
        """The current faults. An assignment restarts their counts, and that of the rate limit."""
        return self.injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self.injector = FaultInjector(faults)

    @property
    def requests(self) -> list[Request]:
        """The last requests, with the active ones, oldest first."""
        return list(self._requests)

    def begin(self, request: HTTPServerRequest) -> Request:
        """Record a new request."""
        headers = request.headers
        note = Request(headers.get("Accept", ""), headers.get("User-Agent", ""))
        self._requests.append(note)
        self._active += 1
        self.most_at_once = max(self.most_at_once, self._active)
        return note

    def end(self, note: Request, status: int) -> None:
        """Record the end of a request, just before its response or its reset (0)."""
        if note.status is None:
            note.status = status
            self._active -= 1


class _Handler(RequestHandler):
    """The common part of all handlers."""

    def initialize(self, api: LocalBreweryApi) -> None:
        self.api = api
        self.data = api.data
        self.injector = api.injector
        self.note = api.begin(self.request)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def prepare(self) -> None:
        if found := self.injector.stored(self.request.uri or ""):
            self.note.cached = True
            self.respond(200, *found)
        elif wait := self.injector.seconds_to_wait(self.request.remote_ip or ""):
            self.set_header("Retry-After", math.ceil(wait))
            self.fail(429)
        else:
            await asyncio.sleep(self.injector.faults.latency_seconds)
            if self.injector.reset():
                self._reset()
            elif status := self.injector.error():
                self.fail(status)

    def compute_etag(self) -> None:
        """Send none, as the real server."""

    def on_connection_close(self) -> None:
        self._closed.set_result(None)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.fail(status_code)

    def fail(self, status: int, **more: Any) -> None:
        """Respond with an error: a message in JSON, or a proxy's page."""
        if status in _FROM_A_PROXY:
            self.respond(status, _html_page(status), _HTML)
        else:
            self.respond(status, encode({"message": HTTPStatus(status).phrase, **more}), _JSON)

    def respond(self, status: int, body: bytes, kind: str) -> None:
        """Respond with a body at once."""
        self.set_status(status)
        self.set_header("Content-Type", kind)
        self.api.end(self.note, status)
        self.finish(body)

    async def send(self, body: bytes, kind: str, seconds: float = 0.0) -> None:
        """Respond with a whole body, but for the faults; `seconds` is the time that it takes."""
        self.set_header("Content-Type", kind)
        if cut := self.injector.cut():
            await self._send_cut(body, cut)
            return
        self.injector.store(self.request.uri or "", body, kind)
        if seconds:
            await self._send_slowly(body, seconds)
        else:
            self.respond(200, body, kind)

    async def _send_cut(self, body: bytes, cut: Cut) -> None:
        self.api.end(self.note, 200)
        half = body[: len(body) // 2]
        if cut == "short":
            self.set_header("Content-Length", len(body))
        else:
            self.set_header("Transfer-Encoding", "chunked")
            half = b"%x\r\n%s\r\n" % (len(half), half) if half else b""
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._headers.get_all())
        stream = self.detach()
        with suppress(StreamClosedError):  # the client may have closed the connection
            await stream.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode("latin-1") + half)
        stream.close()

    async def _send_slowly(self, body: bytes, seconds: float) -> None:
        self.api.end(self.note, 200)
        self.set_header("Content-Length", len(body))
        size = math.ceil(len(body) / math.ceil(seconds / _DRIP_PAUSE))
        starts = range(0, len(body), size)
        # Do not await flushes: they would never end if the client closes the connection.
        self.flush()
        for start in starts:
            await asyncio.wait((self._closed,), timeout=seconds / len(starts))
            if self._closed.done():
                break
            self.write(body[start : start + size])
            self.flush()
        self.finish()

    def _reset(self) -> None:
        self.api.end(self.note, 0)
        stream = self.detach()
        if not stream.closed():  # the client may have closed it
            # Without lingering, the system closes the connection by a reset.
            linger = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            stream.close()


class _List(_Handler):
    async def get(self) -> None:
        faults = self.injector.faults
        page, size = self._number("page", 1), self._number("per_page", 50, most=200)
        order = self.get_query_argument("sort", "")
        fits = {"page": page, "per_page": size, "sort": order in ("", "id", "id:asc")}
        filters = {name: False for name in self.request.arguments if re.match("by_|exc", name)}
        if refused := [name for name, is_right in (fits | filters).items() if not is_right]:
            self.fail(422, errors=refused)
        elif page in faults.broken_pages:
            self.fail(500)
        else:
            rows = self.data.by_id if order else list(range(len(self.data.records)))
            rows = self.injector.listing(rows, len(self.data.records))
            found = self.data.json(rows[(page - 1) * size : page * size], faults.string_coordinates)
            body, kind = _instead(self.injector.body(), found)
            if self.injector.change_is_due():
                self.api.data = self.data.changed(self.injector.random)
            await self.send(body, kind, faults.drip_seconds)

    def _number(self, name: str, default: int, most: float = math.inf) -> int:
        """An argument from 1 to `most`; 0 if it is none."""
        text = self.get_query_argument(name, str(default))
        return int(text) if re.fullmatch("[1-9][0-9]{0,17}", text) and int(text) <= most else 0


class _Meta(_Handler):
    async def get(self) -> None:
        if not self.injector.faults.old_meta:
            meta = self.data.meta
        else:
            meta = {"total": str(self.data.meta["total"]), "page": "1", "per_page": "50"}
        await self.send(encode(meta), _JSON)


class _Missing(_Handler):
    async def prepare(self) -> None:
        self.fail(404)


def _instead(body: Body, page: bytes) -> tuple[bytes, str]:
    """The body of a list response instead of this page, and its content type."""
    bodies = {
        "": (page, _JSON),
        "html": (_html_page(200), _HTML),
        "object": (encode({"message": "Welcome to the Open Brewery DB API."}), _JSON),
        "empty": (b"[]", _JSON),
        "half": (page[: len(page) // 2], _JSON),
        "text": (b"upstream is having a moment", "text/plain; charset=utf-8"),
    }
    return bodies[body]


def _html_page(status: int) -> bytes:
    title = f"{status} {HTTPStatus(status).phrase}"
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return page.encode()
