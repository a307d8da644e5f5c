"""The exporter's page: /metrics, /errors and /healthz."""

from __future__ import annotations

import json
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from .lakeview import View
from .metrics import LakeCollector
from .schedule import interval
from .watch import Watch

REQUEST_SECONDS = 10.0


class Exporter(ThreadingHTTPServer):
    """Answers with what a watch sees.

    Args:
        address: host and port to listen on; port 0 for any.
        watch: over the lake.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], watch: Watch) -> None:
        self.watch = watch
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(LakeCollector(watch.view, interval))
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Exporter
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        """Answer by the path."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, content_type, encode(self.server.registry))
        elif path == "/errors":
            self._answer_json(200, errors(self.server.watch.view()))
        elif path == "/healthz":
            self._answer_json(200, health(self.server.watch.view()))
        else:
            self._answer_json(404, {"paths": ["/metrics", "/errors", "/healthz"]})

    def _answer_json(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=1, ensure_ascii=False)
        self._answer(status, "application/json", text.encode(errors="replace"))

    def _answer(self, status: int, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing of each poll."""


def errors(view: View) -> dict[str, Any]:
    """The newest error log of each layer; a timestamp of 0 where there is none.

    `failure` is what happened in one line while the layer has failed, else "": whether and why, in
    one value, for those who would take the one before the other.
    """
    return {
        layer: {**asdict(seen.error), "failure": seen.failure}
        for layer, seen in view.layers.items()
    }


def health(view: View) -> dict[str, Any]:
    """What cannot be read and why; the exporter itself is well when it answers."""
    layers = {layer: seen.problem or "ok" for layer, seen in view.layers.items()}
    return {"store": view.problem or "ok", "layers": layers}
