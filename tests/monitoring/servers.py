"""The real servers of the monitoring with the shipped configuration, and where messages arrive.

Of the configuration, only the addresses and the folder of the secrets are those of this machine.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import yaml
from aiosmtpd.controller import Controller
from typing_extensions import Self

from compose import monitoring, passwords
from sandbox import ROOT
from sandbox.breweries.api import LocalBreweryApi
from sandbox.faults import Faults
from sandbox.store import embedded_store
from tests import programs
from tests.answers import Answer, Request, serving
from tests.programs import free_port
from tests.waiting import wait_for
from tests.world import breweries

SHIPPED = ROOT / "monitoring"
SECRETS = {
    "MINIO_READER_ACCESS_KEY": "reader",
    "MINIO_READER_SECRET_KEY": "reader-secret",
    "GRAFANA_PASSWORD": "grafana-secret",
}
STATIONS_TOO = "tests.monitoring.stations"
"""The module of an exporter that watches a second dataset."""


@contextmanager
def running(log: Path, ready: str, *command: object) -> Iterator[str]:
    """A server at a free address, which stands for ADDRESS, once what is to be ready answers."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    words = [str(word).replace("ADDRESS", address).replace("PORT", str(port)) for word in command]
    with (
        log.open("wb") as output,
        programs.running(words, cwd=ROOT, stdout=output, stderr=output) as process,
    ):
        url = ready.replace("ADDRESS", address)
        wait_for(lambda: answers(url) or process.poll() is not None, 60, 0.1)
        assert process.poll() is None, log.read_text()
        yield address


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def exporter(folder: Path, module: str = "monitoring") -> AbstractContextManager[str]:
    """The exporter on the store of this process' settings: its `host:port`."""
    log, ready = folder / "exporter.log", "http://ADDRESS/healthz"
    return running(log, ready, sys.executable, "-m", module, "--port", "PORT")


def write_alertmanager(folder: Path, **settings: str) -> Path:
    """The shipped configuration as compose/monitoring.py writes it for some settings."""
    text = (SHIPPED / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8")
    base = yaml.safe_load(text.replace("/run/monitoring", str(folder)))
    for name, (_, content) in monitoring.files(base, {**SECRETS, **settings}).items():
        passwords.write(folder / name, os.getuid(), content)
    return folder / "alertmanager.yml"


def alertmanager(folder: Path, **settings: str) -> AbstractContextManager[str]:
    """Alertmanager with some settings of .env: its `host:port`."""
    file = write_alertmanager(folder, **settings)
    return running(
        folder / "alertmanager.log", "http://ADDRESS/-/ready", "prometheus-alertmanager",
        f"--config.file={file}", f"--storage.path={folder / 'alertmanager'}",
        "--web.listen-address=ADDRESS", "--cluster.listen-address=",
    )  # fmt: skip


def prometheus(folder: Path, **addresses: str) -> AbstractContextManager[str]:
    """Prometheus with the shipped configuration, its targets at some addresses: its `host:port`.

    The addresses are of `exporter`, `minio` and `alertmanager`.
    """
    text = (SHIPPED / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    for target, port in (("exporter", 9817), ("minio", 9000), ("alertmanager", 9093)):
        assert f"[{target}:{port}]" in text
        text = text.replace(f"[{target}:{port}]", f"[{json.dumps(addresses[target])}]")
    (folder / "prometheus.yml").write_text(text.replace("/run/monitoring", str(folder)))
    shutil.copy(SHIPPED / "prometheus" / "rules.yml", folder)
    return running(
        folder / "prometheus.log", "http://ADDRESS/-/ready", "prometheus",
        f"--config.file={folder / 'prometheus.yml'}", "--web.listen-address=ADDRESS",
        f"--storage.tsdb.path={folder / 'prometheus'}",
    )  # fmt: skip


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
            how = {"capture_output": False, "stdout": log, "stderr": log}
            return programs.mage_run(**how).returncode

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


def settings_of(url: str, port: int) -> dict[str, str]:
    """What .env would say to have messages sent to an address, and mail to a port."""
    return {
        "ALERT_SLACK_URL": f"{url}/slack",
        "ALERT_WEBHOOK_URL": f"{url}/gateway",
        "ALERT_EMAIL_TO": "owner@example.org",
        "ALERT_EMAIL_FROM": "lake@example.org",
        "ALERT_SMTP_HOST": "127.0.0.1",
        "ALERT_SMTP_PORT": str(port),
        "ALERT_SMTP_STARTTLS": "false",
    }


class Messages:
    """A Slack-like address, a gateway's, and a mail server, which keep what they are sent."""

    def __init__(self) -> None:
        self.posts: dict[str, list[Any]] = {"/slack": [], "/gateway": []}
        self.mails: list[Any] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(serving(self._keep, "")).url
        handler = SimpleNamespace(handle_DATA=self._keep_mail)
        smtp = Controller(handler, hostname="127.0.0.1", port=free_port())
        smtp.start()
        self._stack.callback(smtp.stop)
        self.settings = settings_of(self.url, smtp.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _keep(self, request: Request) -> Answer:
        self.posts[request.path].append(json.loads(request.content))
        return Answer("ok")  # Slack says so, and Alertmanager 0.27 and later reads it

    async def _keep_mail(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

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
