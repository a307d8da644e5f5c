"""The exporter's page: /metrics, /errors and /healthz."""

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
LINGER_SECONDS = 2.0  # for what a client still sends after its answer
WAITING = 1024  # connections that are not accepted yet; the system may allow fewer
PATHS = ("/metrics", "/errors", "/healthz")
ANSWERED = "GET, HEAD"


class Exporter(ThreadingHTTPServer):
    """Answers with what a watch sees.

    Args:
        address: host and port to listen on; port 0 for any.
        watch: over the lake.
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
        """Where it is."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def shutdown_request(self, request: Any) -> None:
        """End a connection when the client has read its answer.

        A socket that is closed with bytes unread resets the connection, and may take the answer
        with it.
        """
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER_SECONDS)
            end = time.monotonic() + LINGER_SECONDS
            while request.recv(1 << 16) and time.monotonic() < end:
                pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about a client that hung up."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Exporter
    timeout = REQUEST_SECONDS
    default_request_version = "HTTP/1.0"  # its own, 0.9, has answers without a status

    def do_GET(self) -> None:
        """Answer by the path; what nobody foresaw is told too."""
        try:
            answer = self._found()
        except Exception as error:
            print(self.server.secrets.text(traceback.format_exc()), file=sys.stderr)
            said = f"The exporter failed ({type(error).__name__}: {error}); its log has the place."
            answer = self._json(500, {"error": said})
        self._answer(*answer)

    do_HEAD = do_GET

    def _refuse(self) -> None:
        self._answer(*self._json(405, {"methods": ANSWERED}))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _found(self) -> tuple[int, str, bytes]:
        """Status, type and content of what is asked for."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            return self._metrics()
        if path == "/errors":
            return self._json(200, errors(self.server.watch.newest()))
        if path == "/healthz":
            return self._json(200, health(self.server.watch.newest()))
        return self._json(404, {"paths": PATHS})

    def _json(self, status: int, content: Mapping[str, Any]) -> tuple[int, str, bytes]:
        """Anybody may have written the logs of a lake, so they may hold our own keys."""
        text = json.dumps(self.server.secrets.value(content), indent=1, ensure_ascii=False)
        return status, "application/json", text.encode(errors="replace")

    def _metrics(self) -> tuple[int, str, bytes]:
        try:
            # The type that answers holds words of the one that asks.
            accepted = " ".join(self.headers.get("Accept", "").split())
            encode, content_type = choose_encoder(accepted)
        except (TypeError, ValueError):  # a version that is no number
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
        """Print nothing about each poll."""


def _interval(flow: str) -> float:
    return interval(triggers(flow))


def errors(lake: LakeLook) -> dict[str, Any]:
    """The newest error log of each layer of each flow; its timestamp is 0 if there is none.

    `failure` is one line on what happened while the layer has failed, else "". One value says
    whether and why, so that no client reads the two at different moments.
    """
    return {
        dataset: {
            layer: {**asdict(seen.error), "failure": seen.failure} for layer, seen in layers.items()
        }
        for dataset, layers in lake.datasets.items()
    }


def health(lake: LakeLook) -> dict[str, Any]:
    """What cannot be read and why; the exporter itself is well when it answers."""
    datasets = {
        dataset: {layer: seen.problem or "ok" for layer, seen in layers.items()}
        for dataset, layers in lake.datasets.items()
    }
    unowned = {layer: asdict(found) for layer, found in lake.unowned.items()}
    return {"store": lake.problem or "ok", "datasets": datasets, "unowned": unowned}
