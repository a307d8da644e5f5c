"""Every expression of the dashboards gives data by the real Prometheus, and a wrong one is seen."""

import json
import os
import re
import threading
import time
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import isnan
from pathlib import Path

import pytest
import requests

from compose import monitoring
from data.breweries.datasets import LAYERS
from data.breweries.errors import BreweriesError
from tests.monitoring.boards import METRIC, ROOT, SAMPLES, expressions
from tests.monitoring.servers import MISSING, SECRETS, exporter, prometheus, write_alertmanager
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason="apt-get install prometheus prometheus-alertmanager"
)

NOBODY = "127.0.0.1:9"
STAGES = ("nothing ran yet", "after a run", "after a failure")
# What no data means: that there is none, in words.
NONE_IS_MEANT = {"ALERTS": "no alert fires"}


class RecordedMinio(ThreadingHTTPServer):
    """Answers as a real MinIO did before a run of the pipeline, and after it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answer = SAMPLES[0].read_bytes()
        super().__init__(("127.0.0.1", 0), RecordedHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class RecordedHandler(BaseHTTPRequestHandler):
    server: RecordedMinio

    def do_GET(self):
        # Both of its pages are in one file.
        whole = self.path == "/minio/v2/metrics/cluster"
        self.send_response(200 if whole else 404)
        self.end_headers()
        self.wfile.write(self.server.answer if whole else b"")

    def log_message(self, *_):
        pass
