"""The responses of each path: those of the real server, except for the current faults."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from ..cache import Kept
from ..faults import Body, Cut
from .encoding import encode
from .queries import Query, problems
from .served import Served

PATH = "/v1/breweries"

_JSON = "application/json"
_HTML = "text/html; charset=utf-8"

# The real server writes the word etag, but sends no ETag.
_CACHE_LIST = "etag, max-age=300, public"
_CACHE_DAY = "max-age=86400, public"
_CACHE_NOT = "no-cache, private"

_DRIP_PAUSE = 0.05  # seconds, much shorter than any read timeout


def application(served: Served) -> Application:
    """The paths and their handlers."""
    routes = (
        (f"{PATH}/?", _List),
        (f"{PATH}/meta/?", _Meta),
        ("/", _Welcome),
        (".*", _Missing),
    )
    return Application(
        [(pattern, handler, {"served": served}) for pattern, handler in routes],
        log_function=lambda handler: None,
    )


class _Handler(RequestHandler):
    """The common part of all handlers."""

    limited = True

    def initialize(self, served: Served) -> None:
        self.served = served
        self.data = served.data
        self.injector = served.injector
        self.note = served.begin(self.request)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Laravel trims arguments, so a blank value counts as missing.
        self.arguments = {name: value.strip() for name, value in self.note.query.items()}

    async def prepare(self) -> None:
        faults = self.injector.faults
        if self.request.method not in ("GET", "HEAD"):
            self.set_header("Allow", "GET, HEAD")
            await self.fail(405, _not_supported(self.request))
        elif found := self.injector.cache.find(self.request.uri or ""):
            self._answer_from_cache(*found)
        elif self.limited and self.injector.busy():
            await self._ask_to_wait(faults.busy_status, faults.retry_after_seconds)
        elif self.limited and (wait := self._seconds_over_limit()) is not None:
            await self._ask_to_wait(429, wait)
        else:
            await asyncio.sleep(faults.latency_seconds)
            if self.injector.reset():
                self._reset()
            elif status := self.injector.error():
                await self.fail(status)

    async def head(self) -> None:
        await self.get()  # type: ignore[misc]

    def compute_etag(self) -> None:
        return None

    def on_connection_close(self) -> None:
        self._closed.set_result(None)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.served.end(self.note, status_code)
        self.set_header("Content-Type", _HTML)
        self.finish(_html_page(status_code))

    async def answer(self, body: Any, cache: str = _CACHE_NOT, status: int = 200) -> None:
        """Respond with a body as JSON."""
        await self.send(body if isinstance(body, bytes) else encode(body), _JSON, cache, status)

    async def fail(self, status: int, message: str = "Server Error") -> None:
        """Respond with an error: a JSON message if the client wants JSON, else an HTML page.

        502 and 503 come from a proxy, which sends only pages.
        """
        if status not in (502, 503) and wants_json(self.note.accept):
            await self.answer({"message": message}, status=status)
        else:
            await self.send(_html_page(status), _HTML, _CACHE_NOT, status)

    async def refuse(self, problems: Mapping[str, Sequence[str]]) -> None:
        """Respond to an invalid request: 422 if the client wants JSON, else a redirect to `/`."""
        if wants_json(self.note.accept):
            first, *others = [text for texts in problems.values() for text in texts]
            more = f" (and {len(others)} more {'error' if len(others) == 1 else 'errors'})"
            message = first + more if others else first
            await self.answer({"message": message, "errors": problems}, status=422)
        else:
            self.set_header("Location", self.served.root)
            await self.send(_html_page(302), _HTML, _CACHE_NOT, 302)

    async def send(
        self, body: bytes, content_type: str, cache: str, status: int = 200, seconds: float = 0.0
    ) -> None:
        """Respond with a body, and take `seconds` to send it."""
        self.set_status(status)
        self.set_header("Content-Type", content_type)
        self.set_header("Cache-Control", cache)
        self.served.end(self.note, status)
        read = self.request.method == "GET"
        cut = self.injector.cut() if status == 200 and read else ""
        if status == 200 and read and not cut:
            self.injector.cache.keep(self.request.uri or "", body, content_type, cache)
        if cut:
            await self._send_cut(body, cut)
        elif seconds and read:
            await self._send_slowly(body, seconds)
        else:
            self.finish(body)

    def _answer_from_cache(self, kept: Kept, age: int) -> None:
        self.note.cached = True
        self.set_header("Content-Type", kept.content_type)
        self.set_header("Cache-Control", kept.cache_control)
        self.set_header("Age", age)
        self.served.end(self.note, 200)
        self.finish(kept.body)

    async def _ask_to_wait(self, status: int, seconds: float) -> None:
        if asked := self.injector.retry_after(seconds):
            self.set_header("Retry-After", asked)
        self.set_header("X-RateLimit-Reset", math.ceil(time.time() + seconds))
        self.set_header("X-RateLimit-Limit", self.injector.faults.rate_limit)
        self.set_header("X-RateLimit-Remaining", 0)
        await self.fail(status, "Too Many Attempts." if status == 429 else "Not Now.")

    async def _send_cut(self, body: bytes, cut: Cut) -> None:
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
        self.served.end(self.note, 0)
        stream = self.detach()
        if not stream.closed():  # the client may have closed it
            # Without lingering, the system closes the connection by a reset.
            linger = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            stream.close()

    def _seconds_over_limit(self) -> float | None:
        throttled = self.injector.throttle(self.request.remote_ip or "")
        if throttled is None:
            return None
        left, wait = throttled
        self.set_header("X-RateLimit-Limit", self.injector.faults.rate_limit)
        self.set_header("X-RateLimit-Remaining", left)
        return wait


class _List(_Handler):
    async def get(self) -> None:
        if found := problems(self.arguments):
            await self.refuse(found)
            return
        query = Query.of(self.arguments)
        if status := self.injector.page_error(query.page):
            await self.fail(status)
            return
        body, content_type = _instead(self.injector.body(), self._page(query))
        self.served.page_answered(self.injector)
        seconds = self.injector.faults.drip_seconds
        await self.send(body, content_type, _CACHE_LIST, seconds=seconds)

    def _page(self, query: Query) -> bytes:
        rows = self.injector.listing(self.data.order(query.sort), len(self.data.records))
        start = (query.page - 1) * query.per_page
        strings = self.injector.faults.string_coordinates
        records = (self.data.json(row, strings) for row in rows[start : start + query.per_page])
        return b"[" + b",".join(records) + b"]"


class _Meta(_Handler):
    async def get(self) -> None:
        if found := problems(self.arguments):
            await self.refuse(found)
            return
        query = Query.of(self.arguments)
        meta = self.data.meta | {"page": query.page, "per_page": query.per_page}
        if self.injector.faults.old_meta:
            meta = {name: str(meta[name]) for name in ("total", "page", "per_page")}
        await self.answer(meta, _CACHE_LIST)


class _Welcome(_Handler):
    limited = False

    async def get(self) -> None:
        links = {
            "documentation_url": f"{self.served.root}/docs",
            "mcp_url": f"{self.served.root}/mcp",
        }
        message = {"message": "Welcome to the Open Brewery DB API."}
        await self.answer(message | links, _CACHE_DAY)


class _Missing(_Handler):
    limited = False

    async def prepare(self) -> None:
        path = self.request.path.strip("/")
        await self.fail(404, f"The route {path} could not be found.")


def wants_json(accept: str) -> bool:
    """Whether Laravel responds in JSON to an Accept header: if its preferred type is JSON."""
    weighed = []
    for part in accept.split(","):
        kind, *parameters = part.split(";")
        weights = [text.strip()[2:] for text in parameters if text.strip().startswith("q=")]
        weighed.append((_number(weights[0]) if weights else 1.0, kind.strip().lower()))
    _, most_wanted = max(weighed, key=lambda item: item[0])
    return "/json" in most_wanted or "+json" in most_wanted


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


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


def _not_supported(request: HTTPServerRequest) -> str:
    route = request.path.strip("/") or "/"
    supported = "Supported methods: GET, HEAD."
    return f"The {request.method} method is not supported for route {route}. {supported}"
