"""A store that fails on demand: stands on loopback between the pipeline and the real one."""

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import urllib3
from typing_extensions import Self

from tests.answers import Answer, Request, serving


class Refusal(Answer):
    """An error of a store, as MinIO writes it (cmd/api-errors.go, cmd/api-response.go)."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
            f"<Message>{message}</Message><Resource>/</Resource><RequestId>1</RequestId>"
            "<HostId>1</HostId></Error>"
        )
        told = {"x-minio-error-code": code} if code else {}
        kind = {"Content-Type": "application/xml"}
        super().__init__(body, status, {**kind, **told, **(headers or {})})


Fault = Literal["", "drop", "cut"] | Answer | Callable[[Answer], Answer]
"""Pass on; close the connection instead; pass on and cut the answer's body; answer so instead; pass
on and change the answer."""

A_MINUTE = {"Retry-After": "60"}  # what MinIO sends with each 503 and 429
UNWRITABLE = "Resource requested is unwritable, please reduce your request rate"
SLOW_DOWN = Refusal(503, "SlowDownWrite", UNWRITABLE, A_MINUTE)
TOO_MANY = Refusal(429, "TooManyRequests", "Please reduce your request rate", A_MINUTE)
NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "server", "date"}


@dataclass(frozen=True)
class Operation:
    """One request: its number from 1 since `reset`, its method, its path and its headers."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def line(self) -> str:
        """Method, path and the names of the headers, to choose requests by."""
        return f"{self.method} {self.path} {' '.join(self.headers)}"


class StoreProxy:
    """Passes requests on to a store, and asks `before` and tells `after` about each.

    Args:
        target: `host:port` of the store.
        context: for https; None for http.
    """

    def __init__(self, target: str, context: ssl.SSLContext | None = None) -> None:
        self.before: Callable[[Operation], Fault] = lambda operation: ""
        self.after: Callable[[Operation], object] = lambda operation: None
        self.target = target
        self._context = context
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)
        self._changed = threading.Condition()
        self._count = self._under_way = 0

    @property
    def endpoint(self) -> str:
        """`host:port` of the proxy."""
        return urlsplit(self._server.url).netloc

    def reset(self) -> None:
        """Count from 1 again, and pass everything on."""
        self.settle()
        self._count = 0
        self.before = lambda operation: ""
        self.after = lambda operation: None

    def answer(self, fault: Fault, chosen: str = "", times: int = 10**6) -> list[Operation]:
        """Meet so many requests whose line has a pattern with a fault; the list of these."""
        met: list[Operation] = []

        def before(operation: Operation) -> Fault:
            if len(met) < times and re.search(chosen, operation.line):
                met.append(operation)
                return fault
            return ""

        self.before = before
        return met

    def settle(self) -> None:
        """Wait until nothing is under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, timeout=30)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._server = self._stack.enter_context(serving(self._answer, "", self._context))
        self._stack.callback(self._pool.clear)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _answer(self, request: Request) -> Answer:
        self._server.requests.clear()
        with self._counted(request) as operation:
            fault = self.before(operation)
            if fault == "drop":
                return Answer(status=0)
            if isinstance(fault, Answer):
                return fault
            response = self._pool.request(
                request.method,
                f"http://{self.target}{request.target}",
                body=request.content,
                headers=request.headers,
                decode_content=False,
            )
            self.after(operation)
        kept = NOT_PASSED_ON - ({"content-length"} if request.method == "HEAD" else set())
        headers = {k: v for k, v in response.headers.items() if k.lower() not in kept}
        answer = Answer(response.data, response.status, headers, cut=fault == "cut")
        return fault(answer) if callable(fault) else answer

    @contextmanager
    def _counted(self, request: Request) -> Iterator[Operation]:
        with self._changed:
            self._count += 1
            self._under_way += 1
            operation = Operation(self._count, request.method, request.target, request.headers)
        try:
            yield operation
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()
