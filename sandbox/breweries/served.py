"""The shared state of the handlers: the records, the faults and the past requests."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tornado.httputil import HTTPServerRequest

from ..faults import FaultInjector, Faults
from .dataset import Data

REQUESTS_KEPT = 100_000


@dataclass
class Request:
    """A request to the server. Times are those of time.monotonic(), in seconds."""

    method: str
    path: str
    query: dict[str, str]
    accept: str
    user_agent: str
    cache_control: str
    started: float
    status: int = 0
    """0 while the request is active, and always if the connection was reset."""
    finished: float | None = None
    """The time just before the response or the reset; None while the request is active."""
    cached: bool = False
    """Whether the response came from the shared cache of `Faults.cache_seconds`, not the API."""


class Served:
    """Records, faults and past requests. Any thread may replace the records and the faults."""

    def __init__(self, records: Sequence[Any], faults: Faults) -> None:
        self.root = ""
        """The address of the server, when it is known."""
        self.data = Data(records)
        self.injector = FaultInjector(faults)
        self.requests: deque[Request] = deque(maxlen=REQUESTS_KEPT)
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()

    def replace(self, records: Sequence[Any]) -> None:
        """Serve other records from now on."""
        data = Data(records)
        with self._lock:
            self.data = data

    def begin(self, request: HTTPServerRequest) -> Request:
        """Record a new request."""
        note = Request(
            method=request.method or "",
            path=request.path,
            query=dict(parse_qsl(request.query, keep_blank_values=True)),
            accept=request.headers.get("Accept", ""),
            user_agent=request.headers.get("User-Agent", ""),
            cache_control=request.headers.get("Cache-Control", ""),
            started=time.monotonic(),
        )
        self.requests.append(note)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        return note

    def end(self, note: Request, status: int) -> None:
        """Record the end of a request, by a status or by a reset (0)."""
        if note.finished is None:
            note.status = status
            note.finished = time.monotonic()
            self._under_way -= 1

    def page_answered(self, injector: FaultInjector) -> None:
        """Change the data after a page, if the faults require it."""
        if injector.change_is_due():
            with self._lock:
                self.data = self.data.changed(injector.random)
