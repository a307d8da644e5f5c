"""A store that fails on demand: stands on loopback between the pipeline and the real one."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import urllib3
from typing_extensions import Self


@dataclass(frozen=True)
class Answer:
    """Any answer of a store."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


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
        super().__init__(status, body.encode(), {**kind, **told, **(headers or {})})


Fault = Literal["", "drop", "cut"] | Answer | Callable[[Answer], Answer]
"""Pass on; close the connection instead; pass on and cut the answer's body; answer so instead; pass
on and change the answer."""

A_MINUTE = {"Retry-After": "60"}  # what MinIO sends with each 503 and 429
SLOW_DOWN = Refusal(
    503,
    "SlowDownWrite",
    "Resource requested is unwritable, please reduce your request rate",
    A_MINUTE,
)
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
        self._pool = urllib3.PoolManager(maxsize=64, retries=False)
        self._changed = threading.Condition()
        self._count = self._under_way = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a body waits 40 ms for its headers' receipt

            def answer(self) -> None:
                proxy._answer(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A client that was killed, or a connection that was dropped on purpose."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def endpoint(self) -> str:
        """`host:port` of the proxy."""
        return f"127.0.0.1:{self._server.server_address[1]}"

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
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._pool.clear()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._counted(handler) as operation:
            fault = self.before(operation)
            if fault == "drop":
                handler.close_connection = True
                return
            if isinstance(fault, Answer):
                self._send(handler, fault)
                return
            response = self._pool.request(
                handler.command,
                f"http://{self.target}{handler.path}",
                body=body,
                headers=operation.headers,
                decode_content=False,
            )
            self.after(operation)
        headers = {k: v for k, v in response.headers.items() if k.lower() not in NOT_PASSED_ON}
        answer = Answer(response.status, response.data, headers)
        size = response.headers.get("Content-Length") if handler.command == "HEAD" else None
        changed = fault(answer) if callable(fault) else answer
        self._send(handler, changed, size, cut=fault == "cut")

    @contextmanager
    def _counted(self, handler: BaseHTTPRequestHandler) -> Iterator[Operation]:
        with self._changed:
            self._count += 1
            self._under_way += 1
            headers = dict(handler.headers)
            operation = Operation(self._count, handler.command, handler.path, headers)
        try:
            yield operation
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        answer: Answer,
        size: str | None = None,
        cut: bool = False,
    ) -> None:
        body = answer.body
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        if answer.status != 204:
            handler.send_header("Content-Length", size or str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body[: len(body) // 2] if cut else body)
        handler.close_connection = handler.close_connection or cut
