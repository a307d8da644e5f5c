"""A local Open Brewery DB: serves given records on loopback as the real server would.

It follows the Laravel server (github.com/openbrewerydb/openbrewerydb-laravel-api, commit 612fe38 of
2026-08-06): routes, filters, sorting, validation, rate limit, headers and errors. Left out are
search, autocomplete and the distance filter, which answers 422.

Records may be anything JSON can hold. They are listed as they are, whether or not they look like
breweries.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import signal
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from random import Random
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from typing_extensions import Self

from .faults import Body, Cut, Faults, Mischief

LOOPBACK = "127.0.0.1"
PATH = "/v1/breweries"

_JSON = "application/json"
_HTML = "text/html; charset=utf-8"

# The word etag is the server's; an ETag it does not send.
_CACHE_LIST = "etag, max-age=300, public"
_CACHE_DAY = "max-age=86400, public"
_CACHE_NOT = "no-cache, private"

_PER_PAGE = 50
_PER_PAGE_MOST = 200
_RANDOM_MOST = 50
_REQUESTS_KEPT = 100_000
_DRIP_PAUSE = 0.05  # seconds, well within any timeout of a read

_SORTABLE = {
    "id": "id",
    "name": "name",
    "brewery_type": "brewery_type",
    "type": "brewery_type",
    "city": "city",
    "state_province": "state_province",
    "postal_code": "postal_code",
    "country": "country",
}
_COLUMNS = {
    "by_city": "city",
    "by_country": "country",
    "by_ids": "id",
    "by_name": "name",
    "by_postal": "postal_code",
    "by_state": "state_province",
    "by_type": "brewery_type",
    "exclude_types": "brewery_type",
}
_TYPES = {
    "bar",
    "beergarden",
    "brewpub",
    "cidery",
    "closed",
    "contract",
    "large",
    "location",
    "micro",
    "nano",
    "planning",
    "proprietor",
    "regional",
    "taproom",
    "unknown",
}
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,17})")

Sort = tuple[tuple[str, bool], ...]
"""Fields to sort by, the most important first, and whether each is descending."""

Filters = tuple[tuple[str, str], ...]
"""Names and values of the filters of a request."""


@dataclass
class Request:
    """One request that the server got. Times are of time.monotonic(), in seconds."""

    method: str
    path: str
    query: dict[str, str]
    accept: str
    user_agent: str
    started: float
    status: int = 0
    """0 while the request is under way, and for good if the connection was reset."""
    finished: float | None = None
    """Just before the answer is written, or the connection reset; None while the request is under
    way."""


@dataclass(frozen=True)
class Query:
    """A valid question to the list or to meta."""

    page: int
    per_page: int
    sort: Sort
    filters: Filters

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> Query:
        """Read arguments in which `problems` finds none."""
        return cls(
            page=int(arguments.get("page", 1)),
            per_page=int(arguments.get("per_page", _PER_PAGE)),
            sort=_sort(arguments["sort"]) if "sort" in arguments else (),
            filters=tuple((name, arguments[name]) for name in _COLUMNS if name in arguments),
        )


class Data:
    """One version of the records, and what answering from it needs: made when first asked for."""

    def __init__(self, records: Sequence[Any]) -> None:
        self.records = tuple(records)
        self.order = lru_cache(maxsize=16)(self._order)
        self.select = lru_cache(maxsize=32)(self._select)
        self.meta = lru_cache(maxsize=32)(self._meta)
        self._json: dict[tuple[int, bool], bytes] = {}

    def json(self, row: int, string_coordinates: bool) -> bytes:
        """The record as the server writes it."""
        key = row, string_coordinates
        if key not in self._json:
            record = self.records[row]
            self._json[key] = encode(_old_shape(record) if string_coordinates else record)
        return self._json[key]

    def row_of(self, brewery_id: str) -> int | None:
        """Where the brewery of this id stands, None if there is none."""
        return self._rows_by_id.get(brewery_id)

    def changed(self, random: Random) -> Data:
        """The data with one record removed, one changed and one added.

        By id, the first goes, the one in the middle changes its type, and the new one is the last:
        all others move up one place.
        """
        rows = [row for row in self.order((("id", False),)) if self._text(row, "id") is not None]
        if not rows:
            return self
        first, middle, last = rows[0], rows[len(rows) // 2], rows[-1]
        records = list(self.records)
        closed = records[middle].get("brewery_type") == "closed"
        records[middle] = {**records[middle], "brewery_type": "micro" if closed else "closed"}
        new_id = f"ffffffff-ffff-4fff-bfff-{random.getrandbits(48):012x}"
        records.append({**records[last], "id": new_id, "name": "Brand New Brewing"})
        del records[first]
        return Data(records)

    def _order(self, sort: Sort) -> list[int]:
        rows = list(range(len(self.records)))
        for field, descending in reversed(sort):
            keys = [_sort_key(self._field(row, field)) for row in range(len(rows))]
            rows.sort(key=keys.__getitem__, reverse=descending)
        return rows

    def _select(self, filters: Filters, sort: Sort) -> list[int]:
        rows = self.order(sort)
        for name, value in filters:
            fits = _test(name, value)
            texts = ((row, self._text(row, _COLUMNS[name])) for row in rows)
            rows = [row for row, text in texts if text is not None and fits(text)]
        return rows

    def _meta(self, filters: Filters) -> dict[str, Any]:
        rows = self.select(filters, ())
        by_type = self._counts(rows, "brewery_type")
        return {
            "total": len(rows),
            "by_state": self._counts(rows, "state_province"),
            "by_country": self._counts(rows, "country"),
            # Of types that differ in case alone the last count stays, as in the server.
            "by_type": {value.lower(): count for value, count in by_type.items()},
        }

    def _counts(self, rows: Sequence[int], field: str) -> dict[str, int]:
        texts = (self._text(row, field) for row in rows)
        return dict(sorted(Counter(text for text in texts if text is not None).items()))

    @cached_property
    def _rows_by_id(self) -> dict[str, int]:
        rows = ((self._text(row, "id"), row) for row in range(len(self.records)))
        return {brewery_id: row for brewery_id, row in rows if brewery_id is not None}

    def _field(self, row: int, field: str) -> Any:
        record = self.records[row]
        return record.get(field) if isinstance(record, dict) else None

    def _text(self, row: int, field: str) -> str | None:
        value = self._field(row, field)
        return value if isinstance(value, str) else None


class LocalBreweryApi:
    """The server. Use it in a `with` statement, or call `serve_forever`.

        with LocalBreweryApi(generate()) as api:
            requests.get(api.url, params={"page": 1}, headers={"Accept": "application/json"})

    It listens on 127.0.0.1 unless told otherwise. `records` and `faults` may be replaced from any
    thread while it runs; a request under way is answered from the old ones.

    Args:
        records: what to serve, in the order of the unsorted list.
        faults: what goes wrong; nothing by default, but the rate limit is the real one.
        port: 0 for any free one.
        host: the address to listen on; another than 127.0.0.1 only inside a container.

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
        self._port = port
        self._host = host
        self._lock = threading.Lock()
        self._data = Data(records)
        self._mischief = Mischief(faults or Faults())
        self._requests: deque[Request] = deque(maxlen=_REQUESTS_KEPT)
        self._under_way = 0
        self._most_at_once = 0
        self._stop: Callable[[], object] = lambda: None
        self._thread: threading.Thread | None = None

    @property
    def root(self) -> str:
        """The site's address, "http://127.0.0.1:<port>"."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """The list's address, "http://127.0.0.1:<port>/v1/breweries"."""
        return self.root + PATH

    @property
    def records(self) -> list[Any]:
        """The records served now, in the unsorted list's order.

        Assign to replace them; what is done to the list, or to its records, is not noticed.
        """
        return list(self._data.records)

    @records.setter
    def records(self, records: Sequence[Any]) -> None:
        data = Data(records)
        with self._lock:
            self._data = data

    @property
    def faults(self) -> Faults:
        """The faults in force. Assigning starts their counts, and the rate limit's, again."""
        return self._mischief.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._mischief = Mischief(faults)

    @property
    def requests(self) -> list[Request]:
        """The requests so far, those under way included: the last 100,000, oldest first."""
        return list(self._requests)

    @property
    def most_at_once(self) -> int:
        """The greatest number of requests that were under way at the same time."""
        return self._most_at_once

    def __enter__(self) -> Self:
        sockets = self._bind()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sockets, ready.set)),
            name="local-brewery-api",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        if self._thread:
            self._thread.join()

    def serve_forever(self, on_ready: Callable[[str], object] = lambda url: None) -> None:
        """Serve in this thread, the main one, until SIGTERM or SIGINT; then return.

        Args:
            on_ready: is called with `url` once the server answers.

        Raises:
            OSError: if the port is taken.
        """
        sockets = self._bind()

        def ready() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
            on_ready(self.url)

        asyncio.run(self._serve(sockets, ready))

    def _bind(self) -> list[socket.socket]:
        sockets = bind_sockets(self._port, self._host, socket.AF_INET)
        self._port = sockets[0].getsockname()[1]
        return sockets

    async def _serve(self, sockets: list[socket.socket], ready: Callable[[], object]) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server = HTTPServer(_application(self))
        server.add_sockets(sockets)
        ready()
        await stopped.wait()
        server.stop()
        await server.close_all_connections()

    # The handlers below call these, in the server's thread.

    def _begin(self, request: HTTPServerRequest) -> Request:
        note = Request(
            method=request.method or "",
            path=request.path,
            query=dict(parse_qsl(request.query, keep_blank_values=True)),
            accept=request.headers.get("Accept", ""),
            user_agent=request.headers.get("User-Agent", ""),
            started=time.monotonic(),
        )
        self._requests.append(note)
        self._under_way += 1
        self._most_at_once = max(self._most_at_once, self._under_way)
        return note

    def _end(self, note: Request, status: int) -> None:
        if note.finished is None:
            note.status = status
            note.finished = time.monotonic()
            self._under_way -= 1

    def _page_answered(self, mischief: Mischief) -> None:
        if mischief.change_is_due():
            with self._lock:
                self._data = self._data.changed(mischief.random)


class _Handler(RequestHandler):
    """What all answers have in common."""

    limited = True

    def initialize(self, api: LocalBreweryApi) -> None:
        self.api = api
        self.data = api._data
        self.mischief = api._mischief
        self.note = api._begin(self.request)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Laravel trims what it is asked, so that a blank value counts as missing.
        self.arguments = {name: value.strip() for name, value in self.note.query.items()}

    async def prepare(self) -> None:
        if self.request.method not in ("GET", "HEAD"):
            self.set_header("Allow", "GET, HEAD")
            await self.fail(405, _not_supported(self.request))
        elif self.limited and (wait := self._seconds_over_limit()) is not None:
            self.set_header("Retry-After", math.ceil(wait))
            self.set_header("X-RateLimit-Reset", math.ceil(time.time() + wait))
            await self.fail(429, "Too Many Attempts.")
        else:
            await asyncio.sleep(self.mischief.faults.latency_seconds)
            if self.mischief.reset():
                self._reset()
            elif status := self.mischief.error():
                await self.fail(status)

    async def head(self, *arguments: str) -> None:
        await self.get(*arguments)  # type: ignore[misc]

    def compute_etag(self) -> None:
        return None

    def on_connection_close(self) -> None:
        self._closed.set_result(None)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.api._end(self.note, status_code)
        self.set_header("Content-Type", _HTML)
        self.finish(_html_page(status_code))

    async def answer(self, body: Any, cache: str = _CACHE_NOT, status: int = 200) -> None:
        """Answer with this, as JSON."""
        await self.send(body if isinstance(body, bytes) else encode(body), _JSON, cache, status)

    async def fail(self, status: int, message: str = "Server Error") -> None:
        """Answer with an error: a message to those who want JSON, a page to all others.

        502 and 503 come from a proxy, which has only pages.
        """
        if status not in (502, 503) and wants_json(self.note.accept):
            await self.answer({"message": message}, status=status)
        else:
            await self.send(_html_page(status), _HTML, _CACHE_NOT, status)

    async def refuse(self, problems: Mapping[str, Sequence[str]]) -> None:
        """Answer an invalid request: 422 to those who want JSON, the way to `/` to all others."""
        if wants_json(self.note.accept):
            first, *others = [text for texts in problems.values() for text in texts]
            more = f" (and {len(others)} more {'error' if len(others) == 1 else 'errors'})"
            message = first + more if others else first
            await self.answer({"message": message, "errors": problems}, status=422)
        else:
            self.set_header("Location", self.api.root)
            await self.send(_html_page(302), _HTML, _CACHE_NOT, 302)

    async def send(
        self, body: bytes, content_type: str, cache: str, status: int = 200, seconds: float = 0.0
    ) -> None:
        """Answer with this body, which takes so many seconds to be sent."""
        self.set_status(status)
        self.set_header("Content-Type", content_type)
        self.set_header("Cache-Control", cache)
        self.api._end(self.note, status)
        if status == 200 and self.request.method == "GET" and (cut := self.mischief.cut()):
            await self._send_cut(body, cut)
        elif seconds and self.request.method == "GET":
            await self._send_slowly(body, seconds)
        else:
            self.finish(body)

    async def _send_cut(self, body: bytes, cut: Cut) -> None:
        half = body[: len(body) // 2]
        if cut == "short":
            self.set_header("Content-Length", len(body))
        else:
            self.set_header("Transfer-Encoding", "chunked")
            half = b"%x\r\n%s\r\n" % (len(half), half) if half else b""
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._headers.get_all())
        stream = self.detach()
        with suppress(StreamClosedError):  # the client may have left first
            await stream.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode("latin-1") + half)
        stream.close()

    async def _send_slowly(self, body: bytes, seconds: float) -> None:
        self.set_header("Content-Length", len(body))
        size = math.ceil(len(body) / math.ceil(seconds / _DRIP_PAUSE))
        starts = range(0, len(body), size)
        # Flushes are not waited for: those under way when the client leaves would never end.
        self.flush()
        for start in starts:
            await asyncio.wait((self._closed,), timeout=seconds / len(starts))
            if self._closed.done():
                break
            self.write(body[start : start + size])
            self.flush()
        self.finish()

    def _reset(self) -> None:
        self.api._end(self.note, 0)
        stream = self.detach()
        if not stream.closed():  # the client may have left first
            # Not to linger is to close by a reset.
            linger = struct.pack("ii", 1, 0)
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            stream.close()

    def _seconds_over_limit(self) -> float | None:
        throttled = self.mischief.throttle(self.request.remote_ip or "")
        if throttled is None:
            return None
        left, wait = throttled
        self.set_header("X-RateLimit-Limit", self.mischief.faults.rate_limit)
        self.set_header("X-RateLimit-Remaining", left)
        return wait


class _List(_Handler):
    async def get(self) -> None:
        if found := problems(self.arguments):
            await self.refuse(found)
            return
        query = Query.of(self.arguments)
        if status := self.mischief.page_error(query.page):
            await self.fail(status)
            return
        body, content_type = _instead(self.mischief.body(), self._page(query))
        self.api._page_answered(self.mischief)
        seconds = self.mischief.faults.drip_seconds
        await self.send(body, content_type, _CACHE_LIST, seconds=seconds)

    def _page(self, query: Query) -> bytes:
        rows = self.data.select(query.filters, query.sort)
        rows = self.mischief.listing(rows, len(self.data.records))
        start = (query.page - 1) * query.per_page
        strings = self.mischief.faults.string_coordinates
        records = (self.data.json(row, strings) for row in rows[start : start + query.per_page])
        return b"[" + b",".join(records) + b"]"


class _Meta(_Handler):
    async def get(self) -> None:
        if found := problems(self.arguments):
            await self.refuse(found)
            return
        query = Query.of(self.arguments)
        meta = self.data.meta(query.filters) | {"page": query.page, "per_page": query.per_page}
        if self.mischief.faults.old_meta:
            meta = {name: str(meta[name]) for name in ("total", "page", "per_page")}
        await self.answer(meta, _CACHE_LIST)


class _Random(_Handler):
    async def get(self) -> None:
        size = self.arguments.get("size") or "1"
        if wrong := _integer_problems("size", size, _RANDOM_MOST):
            await self.answer({"size": wrong}, status=400)
            return
        count = len(self.data.records)
        rows = self.mischief.random.sample(range(count), min(int(size), count))
        strings = self.mischief.faults.string_coordinates
        await self.answer(b"[" + b",".join(self.data.json(row, strings) for row in rows) + b"]")


class _One(_Handler):
    async def get(self, brewery_id: str) -> None:
        row = self.data.row_of(brewery_id)
        if row is None:
            await self.fail(404, rf"No query results for model [App\Models\Brewery] {brewery_id}")
        else:
            strings = self.mischief.faults.string_coordinates
            await self.answer(self.data.json(row, strings), _CACHE_DAY)


class _Welcome(_Handler):
    limited = False

    async def get(self) -> None:
        links = {"documentation_url": f"{self.api.root}/docs", "mcp_url": f"{self.api.root}/mcp"}
        message = {"message": "Welcome to the Open Brewery DB API."}
        await self.answer(message | links, _CACHE_DAY)


class _Missing(_Handler):
    limited = False

    async def prepare(self) -> None:
        path = self.request.path.strip("/")
        await self.fail(404, f"The route {path} could not be found.")


def _application(api: LocalBreweryApi) -> Application:
    routes = (
        (f"{PATH}/?", _List),
        (f"{PATH}/meta/?", _Meta),
        (f"{PATH}/random/?", _Random),
        (f"{PATH}/([^/]+)/?", _One),
        ("/", _Welcome),
        (".*", _Missing),
    )
    return Application(
        [(pattern, handler, {"api": api}) for pattern, handler in routes],
        log_function=lambda handler: None,
    )


def encode(value: Any) -> bytes:
    r"""Write JSON as PHP does: text \u-escaped, slashes \/, floats of 14 significant digits."""
    return _COMPACT.encode(_with_php_floats(value)).replace("/", "\\/").encode("ascii")


def _with_php_floats(value: Any) -> Any:
    if isinstance(value, float):
        rounded = float(f"{value:.14g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
    if isinstance(value, dict):
        # Most items are text: not calling for them halves the time of a crawl.
        return {
            key: _with_php_floats(item) if isinstance(item, (float, dict, list)) else item
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_php_floats(item) for item in value]
    return value


def _old_shape(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    numbers = {
        field: str(_with_php_floats(record[field]))
        for field in ("longitude", "latitude")
        if isinstance(record.get(field), (int, float))
    }
    return {**record, **numbers}


def wants_json(accept: str) -> bool:
    """Whether Laravel answers this Accept header in JSON: if the type most wanted is a JSON one."""
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


def problems(arguments: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with the arguments of a list or of meta, as Laravel says it, field by field."""
    found = {
        name: check(name, arguments[name]) if arguments[name] else [f"{_field(name)} is required."]
        for name, check in _CHECKS.items()
        if name in arguments
    }
    return {name: texts for name, texts in found.items() if texts}


def _field(name: str) -> str:
    return f"The {name.replace('_', ' ')} field"


def _integer_problems(name: str, value: str, most: int | None) -> list[str]:
    if not _INTEGER.fullmatch(value):
        return [f"{_field(name)} must be an integer."]
    if int(value) < 1:
        return [f"{_field(name)} must be at least 1."]
    if most is not None and int(value) > most:
        return [f"{_field(name)} must not be greater than {most}."]
    return []


def _length_problems(name: str, value: str) -> list[str]:
    if len(value) < 3:
        return [f"{_field(name)} must be at least 3 characters."]
    if len(value) > 255:
        return [f"{_field(name)} must not be greater than 255 characters."]
    return []


def _type_problems(name: str, value: str) -> list[str]:
    unknown = (text for text in _listed(value) if text not in _TYPES)
    return [f"The {name} contains invalid brewery type: {text}" for text in unknown]


def _sort_problems(name: str, value: str) -> list[str]:
    for part in value.split(","):
        field, *direction = (text.strip() for text in part.split(":"))
        if field not in _SORTABLE or len(direction) > 1:
            fields = ", ".join(_SORTABLE)
            return [f"The {name} contains an invalid sort field. Valid fields are: {fields}."]
        if direction and direction[0].lower() not in ("asc", "desc"):
            return [f"The {name} direction must be asc or desc."]
    return []


_CHECKS: dict[str, Callable[[str, str], list[str]]] = {
    "per_page": lambda name, value: _integer_problems(name, value, _PER_PAGE_MOST),
    "page": lambda name, value: _integer_problems(name, value, None),
    "sort": _sort_problems,
    "by_city": _length_problems,
    "by_country": _length_problems,
    "by_dist": lambda name, value: [f"{_field(name)} is not supported by this local server."],
    "by_ids": _length_problems,
    "by_name": _length_problems,
    "by_postal": _length_problems,
    "by_state": _length_problems,
    "by_type": _type_problems,
    "exclude_types": _type_problems,
}


def _listed(value: str) -> list[str]:
    return [text.strip() for text in value.split(",")]


def _sort(value: str) -> Sort:
    parts = (part.partition(":") for part in value.split(","))
    return tuple(
        (_SORTABLE[field.strip()], direction.strip().lower() == "desc")
        for field, _, direction in parts
    )


def _sort_key(value: Any) -> tuple[int, Any]:
    """SQLite's order: nothing, then numbers, then text by code point; all else is as nothing."""
    if isinstance(value, str):
        return 2, value
    if isinstance(value, (int, float)):
        return 1, value
    return 0, 0


def _test(name: str, value: str) -> Callable[[str], object]:
    if name == "exclude_types":
        excluded = frozenset(_listed(value))
        return lambda text: text not in excluded
    if name in ("by_ids", "by_type"):
        return frozenset(_listed(value)).__contains__
    return _like(value).search


def _like(value: str) -> re.Pattern[str]:
    """SQL's LIKE '%value%': % is any text, _ any character, case matters beyond ASCII only."""
    parts = (re.escape(part).replace("_", ".") for part in re.split("%+", value))
    return re.compile(".*".join(parts), re.ASCII | re.IGNORECASE | re.DOTALL)


def _instead(body: Body, page: bytes) -> tuple[bytes, str]:
    """What a list answer holds instead of this page, and its content type."""
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
