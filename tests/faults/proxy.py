"""A store that fails on demand: stands on loopback between the pipeline and the real one."""

from __future__ import annotations

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
class Refusal:
    """An error of a store, as MinIO writes it (cmd/api-errors.go, cmd/api-response.go)."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """As a store writes it."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{self.code}</Code>'
            f"<Message>{self.message}</Message><Resource>/</Resource><RequestId>1</RequestId>"
            "<HostId>1</HostId></Error>"
        ).encode()


Fault = Literal["", "drop", "cut"] | Refusal
"""Pass on; close the connection instead; pass on and cut the answer's body; answer so instead."""

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
    """One request: its number from 1 since `reset`, its method and its path."""

    number: int
    method: str
    path: str


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
            if isinstance(fault, Refusal):
                told = {"x-minio-error-code": fault.code} if fault.code else {}
                headers = {"Content-Type": "application/xml", **told, **fault.headers}
                self._send(handler, fault.status, headers, fault.body)
                return
            answer = self._pool.request(
                handler.command,
                f"http://{self.target}{handler.path}",
                body=body,
                headers=dict(handler.headers),
                decode_content=False,
            )
            self.after(operation)
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_PASSED_ON}
        size = answer.headers.get("Content-Length") if handler.command == "HEAD" else None
        self._send(handler, answer.status, headers, answer.data, size, cut=fault == "cut")

    @contextmanager
    def _counted(self, handler: BaseHTTPRequestHandler) -> Iterator[Operation]:
        with self._changed:
            self._count += 1
            self._under_way += 1
            operation = Operation(self._count, handler.command, handler.path)
        try:
            yield operation
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        headers: dict[str, str],
        body: bytes,
        size: str | None = None,
        cut: bool = False,
    ) -> None:
        handler.send_response_only(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 204:
            handler.send_header("Content-Length", size or str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body[: len(body) // 2] if cut else body)
        handler.close_connection = handler.close_connection or cut
