"""The real servers of the monitoring with the shipped configuration, and where messages arrive.

Of the configuration, only the addresses and the folder of the secrets are those of this machine.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from aiosmtpd.controller import Controller
from typing_extensions import Self

from compose import monitoring, passwords
from sandbox.breweries.api import LocalBreweryApi
from sandbox.faults import Faults
from sandbox.store import embedded_store
from tests.waiting import wait_for
from tests.world import breweries

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "monitoring"
SECRETS = {
    "MINIO_READER_ACCESS_KEY": "reader",
    "MINIO_READER_SECRET_KEY": "reader-secret",
    "GRAFANA_PASSWORD": "grafana-secret",
}
STATIONS_TOO = "tests.monitoring.stations"
"""The module of an exporter that watches a second dataset."""


def free_port(below: int = 1 << 16) -> int:
    while True:
        with socket.socket() as probe:
            wanted = random.randrange(10_000, below) if below < 1 << 16 else 0
            with suppress(OSError):
                probe.bind(("127.0.0.1", wanted))
                port: int = probe.getsockname()[1]
                return port


@contextmanager
def running(command: list[str], log: Path, ready: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, once an address of it answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(lambda: answers(ready) or process.poll() is not None, 60, 0.1)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


@contextmanager
def exporter(folder: Path, module: str = "monitoring") -> Iterator[str]:
    """The exporter on the store of this process' settings: its `host:port`."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", module, "--port", address.split(":")[1]]
    with running(command, folder / "exporter.log", f"http://{address}/healthz"):
        yield address


def write_alertmanager(folder: Path, **settings: str) -> Path:
    """The shipped configuration as compose/monitoring.py writes it for some settings."""
    text = (SHIPPED / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    base = yaml.safe_load(text.replace("/run/monitoring", str(folder)))
    for name, (_, content) in monitoring.files(base, {**SECRETS, **settings}).items():
        passwords.write(folder / name, os.getuid(), content)
    return folder / "alertmanager.yml"


@contextmanager
def alertmanager(folder: Path, **settings: str) -> Iterator[str]:
    """Alertmanager with some settings of .env: its `host:port`."""
    file = write_alertmanager(folder, **settings)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus-alertmanager",
        *(f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address="),
    ]
    with running(command, folder / "alertmanager.log", f"http://{address}/-/ready"):
        yield address


@contextmanager
def prometheus(folder: Path, **addresses: str) -> Iterator[str]:
    """Prometheus with the shipped configuration, its targets at some addresses: its `host:port`.

    The addresses are of `exporter`, `minio` and `alertmanager`.
    """
    text = (SHIPPED / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    for target, port in (("exporter", 9817), ("minio", 9000), ("alertmanager", 9093)):
        assert f"[{target}:{port}]" in text
        text = text.replace(f"[{target}:{port}]", f"[{json.dumps(addresses[target])}]")
    (folder / "prometheus.yml").write_text(text.replace("/run/monitoring", str(folder)))
    shutil.copy(SHIPPED / "prometheus" / "rules.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        *(f"--config.file={folder / 'prometheus.yml'}", f"--web.listen-address={address}"),
        f"--storage.tsdb.path={folder / 'prometheus'}",
    ]
    with running(command, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield address


@dataclass(frozen=True)
class Pipeline:
    """The real pipeline on a local API and a store, both those of this process' settings."""

    api: LocalBreweryApi
    store: ExitStack
    """Closed, the store is gone."""
    folder: Path

    def run(self) -> int:
        """`mage run data breweries`, in a process of its own; its exit status."""
        with self.log.open("ab") as log:
            return subprocess.run(
                [str(Path(sys.executable).with_name("mage")), "run", "data", "breweries"],
                cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, timeout=300, check=False,
            ).returncode  # fmt: skip

    @property
    def log(self) -> Path:
        return self.folder / "mage.log"


@contextmanager
def pipeline(folder: Path) -> Iterator[Pipeline]:
    """A pipeline with all it needs, set in the environment."""
    with (
        ExitStack() as store,
        LocalBreweryApi(breweries(), faults=Faults(rate_limit=0)) as api,
        pytest.MonkeyPatch.context() as patch,
    ):
        settings = {
            **store.enter_context(embedded_store(folder / "store")),
            "BREWERIES_API_URL": api.url,
            "LAKE_SPOOL": str(folder / "spool"),
            "LAKE_VISUALIZATIONS": str(folder / "visualizations"),
            "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
            "MAGE_DATA_DIR": str(folder / "mage"),
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        yield Pipeline(api, store, folder)


class Messages:
    """A Slack-like address, a gateway's, and a mail server, which keep what they are sent."""

    def __init__(self) -> None:
        self.posts: dict[str, list[Any]] = {"/slack": [], "/gateway": []}
        self.mails: list[Any] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.posts[self.path].append(json.loads(body))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")  # Slack says so, and Alertmanager 0.27 and later reads it

            def log_message(self, *_: Any) -> None:
                pass

        class Mail:
            async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
                kept.mails.append(message_from_bytes(envelope.content, policy=policy.default))
                return "250 OK"

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._smtp = Controller(Mail(), hostname="127.0.0.1", port=free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def settings(self) -> dict[str, str]:
        """What .env would say to have messages sent here."""
        return {
            "ALERT_SLACK_URL": f"{self.url}/slack",
            "ALERT_WEBHOOK_URL": f"{self.url}/gateway",
            "ALERT_EMAIL_TO": "owner@example.org",
            "ALERT_EMAIL_FROM": "lake@example.org",
            "ALERT_SMTP_HOST": "127.0.0.1",
            "ALERT_SMTP_PORT": str(self._smtp.port),
            "ALERT_SMTP_STARTTLS": "false",
        }

    @property
    def titles(self) -> dict[str, list[str]]:
        """What each way was told, in the order of arrival."""
        return {
            "slack": [post["attachments"][0]["title"] for post in self.posts["/slack"]],
            "mail": [mail["Subject"] for mail in self.mails],
            "gateway": [
                f"{post['status'].upper()}: "
                + "; ".join(alert["annotations"]["summary"] for alert in post["alerts"])
                for post in self.posts["/gateway"]
            ],
        }

    def told(self, title: str, since: float, *ways: str) -> dict[str, float]:
        """Wait until all ways, or some, have that title; the seconds after which each had it."""
        found: dict[str, float] = {}

        def everywhere() -> bool:
            for way, titles in self.titles.items():
                if title in titles:
                    found.setdefault(way, time.time() - since)
            return found.keys() >= set(ways or self.titles)

        wait_for(everywhere, 180, 0.2)
        return found

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._smtp.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._smtp.stop()
        self._server.shutdown()
        self._server.server_close()
