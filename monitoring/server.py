"""The exporter's HTTP server: /metrics, /errors and /healthz."""

from __future__ import annotations

import json
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from data.medallion.settings import known_secrets

from .look import LakeLook
from .metrics import LakeCollector
from .schedule import interval, triggers
from .watch import Watch

REQUEST_SECONDS = 10.0
LINGER_SECONDS = 2.0  # how long to read what a client still sends after the response
WAITING = 1024  # the queue of connections that are not accepted yet; the system may allow fewer
PATHS = ("/metrics", "/errors", "/healthz")
ANSWERED = "GET, HEAD"


class Exporter(ThreadingHTTPServer):
    """Serves the looks of a watch.

    Args:
        address: host and port to listen on; port 0 for any free one.
        watch: the watch of the lake.
    """

    daemon_threads = True
    request_queue_size = WAITING

    def __init__(self, address: tuple[str, int], watch: Watch) -> None:
        self.watch = watch
        self.secrets = known_secrets()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(LakeCollector(watch.newest, _interval))
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        """The address of the server."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def shutdown_request(self, request: Any) -> None:
        """Close a connection after the client has read the response.

        If a socket is closed with unread bytes, the connection is reset, and the response may be
        lost.
        """
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER_SECONDS)
            end = time.monotonic() + LINGER_SECONDS
            while request.recv(1 << 16) and time.monotonic() < end:
                pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about a client that closed the connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Exporter
    timeout = REQUEST_SECONDS
    default_request_version = "HTTP/1.0"  # the default, 0.9, has responses without a status

    def do_GET(self) -> None:
        """Respond by the path; unexpected errors become a response too."""
        try:
            answer = self._found()
        except Exception as error:
            print(self.server.secrets.text(traceback.format_exc()), file=sys.stderr)
            text = f"The exporter failed ({type(error).__name__}: {error}); its log has the place."
            answer = self._json(500, {"error": text})
        self._answer(*answer)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(*self._json(405, {"methods": ANSWERED}))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _found(self) -> tuple[int, str, bytes]:
        """The status, type and content of the response."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            return self._metrics()
        if path == "/errors":
            return self._json(200, errors(self.server.watch.newest()))
        if path == "/healthz":
            return self._json(200, health(self.server.watch.newest()))
        return self._json(404, {"paths": PATHS})

    def _json(self, status: int, content: Mapping[str, Any]) -> tuple[int, str, bytes]:
        """A JSON response without secrets, because a log in the lake may contain our own keys."""
        text = json.dumps(self.server.secrets.value(content), indent=1, ensure_ascii=False)
        return status, "application/json", text.encode(errors="replace")

    def _metrics(self) -> tuple[int, str, bytes]:
        try:
            # The content type of the response repeats words of the request's Accept header.
            accepted = " ".join(self.headers.get("Accept", "").split())
            encode, content_type = choose_encoder(accepted)
        except (TypeError, ValueError):  # a version that is not a number
            encode, content_type = choose_encoder("")
        return 200, content_type, encode(self.server.registry)

    def _answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        if status == 405:
            self.send_header("Allow", ANSWERED)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing about requests."""


def _interval(flow: str) -> float:
    return interval(triggers(flow))


def errors(lake: LakeLook) -> dict[str, Any]:
    """The newest error log of each layer of each flow; its timestamp is 0 if there is none.

    `failure` is one line about the error while the layer has failed, else "". This one value says
    whether and why it failed, so that a client cannot read the two at different moments.
    """
    return {
        dataset: {
            layer: {**asdict(seen.error), "failure": seen.failure} for layer, seen in layers.items()
        }
        for dataset, layers in lake.datasets.items()
    }


def health(lake: LakeLook) -> dict[str, Any]:
    """The parts that cannot be read, and why. The response itself shows that the exporter works."""
    datasets = {
        dataset: {layer: seen.problem or "ok" for layer, seen in layers.items()}
        for dataset, layers in lake.datasets.items()
    }
    unowned = {layer: asdict(found) for layer, found in lake.unowned.items()}
    return {"store": lake.problem or "ok", "datasets": datasets, "unowned": unowned}
