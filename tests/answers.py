"""A server on loopback that answers as a test says, and remembers what it was asked."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """What was asked, and when."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    started: float
    content: bytes = b""
    finished: float = 0.0
    status: int = 0
    """That of its answer."""
    method: str = ""
    target: str = ""
    """Path and query as they stand in the request: a proxy's has the host."""


@dataclass
class Answer:
    """What is answered; without a status, the connection is cut."""

    body: str | bytes = "[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Half the body is sent, and then the connection is cut."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A client that was killed, or a connection that was cut on purpose."""


@dataclass
class Server:
    """Its address, and the requests so far."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def serving(
    answer: Callable[[Request], Answer],
    path: str = "/stations",
    context: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """A server, of https with a context; its address leads to a path, and it answers at any."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body may wait for its headers' receipt

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Request(parts.path, query, dict(self.headers), time.monotonic(), content)
            asked.method, asked.target = self.command, self.path
            found.requests.append(asked)
            given = answer(asked)
            asked.status = given.status
            if not given.status:
                self.close_connection = True
                return
            body = given.body if isinstance(given.body, bytes) else given.body.encode()
            self.send_response_only(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            if given.status != 204 and "Content-Length" not in given.headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            asked.finished = time.monotonic()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if given.cut else body)
            self.close_connection = self.close_connection or given.cut

        do_POST = do_PUT = do_HEAD = do_DELETE = do_CONNECT = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if context else "http"
    found = Server(f"{scheme}://127.0.0.1:{server.server_address[1]}{path}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
