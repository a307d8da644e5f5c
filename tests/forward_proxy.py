"""A forward proxy on loopback, which answers each request itself and remembers it.

It redirects `.../moved?ADDRESS` to that address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@contextmanager
def forward_proxy() -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables that name it, and the addresses that it was asked for so far."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = b'{"total": 7}'
            _, moved, target = self.path.partition("/moved?")
            self.send_response(302 if moved else 200)
            self.send_header("Location", target)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_CONNECT = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        yield dict.fromkeys(NAMES, address), asked
    finally:
        server.shutdown()
        server.server_close()
