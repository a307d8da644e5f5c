"""A block fails in a real `mage run`; who should know does, within a minute, and nobody else."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from data.breweries.datasets import LAYERS, LOGS
from data.breweries.lake import Lake
from data.breweries.settings import Settings
from sandbox.api import LocalBreweryApi
from sandbox.faults import Faults
from sandbox.generator import generate
from sandbox.store import embedded_store
from tests.monitoring.servers import MISSING, ROOT, Messages, alertmanager, exporter, prometheus
from tests.waiting import wait_for

pytestmark = pytest.mark.skipif(
    bool(MISSING), reason="apt-get install prometheus prometheus-alertmanager"
)

MINUTE = 60
FAILED = "FIRING: The bronze layer failed"
RESOLVED = "RESOLVED: The bronze layer failed"
DOWN = "FIRING: The object store does not answer"


class Chain:
    """Everything between a block and a message."""

    def __init__(self, address: str, messages: Messages, folder: Path) -> None:
        self.address = address
        self.messages = messages
        self.folder = folder

    def ask(self, expression: str) -> dict[str, float]:
        """An expression's values by layer."""
        answer = requests.get(
            f"http://{self.address}/api/v1/query", {"query": expression}, timeout=10
        ).json()
        return {
            found["metric"].get("layer", ""): float(found["value"][1])
            for found in answer["data"]["result"]
        }

    def alerts(self) -> set[str]:
        """The alerts that fire, with their layer."""
        answer = requests.get(f"http://{self.address}/api/v1/alerts", timeout=10).json()
        firing = [a for a in answer["data"]["alerts"] if a["state"] == "firing"]
        assert "error expanding" not in str(firing)
        return {
            " ".join(filter(None, (a["labels"]["alertname"], a["labels"].get("layer"))))
            for a in firing
        }

    def mage_run(self) -> int:
        """`mage run data breweries`, in a process of its own; its exit status."""
        with (self.folder / "mage.log").open("ab") as log:
            return subprocess.run(
                [str(Path(sys.executable).with_name("mage")), "run", "data", "breweries"],
                cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, timeout=300, check=False,
            ).returncode  # fmt: skip

    def told(self, title: str, since: float) -> dict[str, float]:
        """Wait until every way has that title; the seconds after which each had it."""
        found: dict[str, float] = {}

        def everywhere() -> bool:
            for way, titles in self.messages.titles.items():
                if title in titles:
                    found.setdefault(way, time.time() - since)
            return len(found) == len(self.messages.titles)

        wait_for(everywhere, 2 * MINUTE, 0.2)
        return found


def test_from_a_block_that_fails_to_the_messages_and_back(tmp_path, monkeypatch):
    with ExitStack() as stack:
        store = ExitStack()
        stack.enter_context(store)
        api = stack.enter_context(
            LocalBreweryApi(generate(600, seed=1), faults=Faults(rate_limit=0))
        )
        settings = {
            **store.enter_context(embedded_store(tmp_path / "store")),
            "BREWERIES_API_URL": api.url,
            "BREWERIES_SPOOL": str(tmp_path / "spool"),
            "BREWERIES_VISUALIZATIONS": str(tmp_path / "visualizations"),
            "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
            "MAGE_DATA_DIR": str(tmp_path / "mage"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        messages = stack.enter_context(Messages())
        addresses = {
            "exporter": stack.enter_context(exporter(tmp_path)),
            "alertmanager": stack.enter_context(alertmanager(tmp_path, **messages.settings)),
            "minio": os.environ["MINIO_ENDPOINT"],
        }
        chain = Chain(stack.enter_context(prometheus(tmp_path, **addresses)), messages, tmp_path)
        lake = Lake.connect(Settings.load())

        assert chain.mage_run() == 0, (tmp_path / "mage.log").read_text()[-3000:]
        wait_for(
            lambda: chain.ask("breweries_run_output_rows > 0").keys() == set(LAYERS), MINUTE, 0.5
        )
        assert not chain.alerts()

        records, api.records = api.records, []
        assert chain.mage_run() == 1
        (failed,) = (log.modified for log in lake.listed("bronze", LOGS).values())
        told = chain.told(FAILED, failed)
        print(f"error log to message: {told}")
        assert max(told.values()) < MINUTE
        assert chain.alerts() == {"BreweriesLayerFailed bronze"}

        api.records = records
        assert chain.mage_run() == 0
        succeeded = time.time()
        told = chain.told(RESOLVED, succeeded)
        print(f"success to message: {told}")
        assert max(told.values()) < 2 * MINUTE
        assert not chain.alerts()
        assert all(titles == [FAILED, RESOLVED] for titles in messages.titles.values())
        assert "docs/monitoring.md#layer-failed" in str(messages.posts["/slack"])

        gone = time.time()
        store.close()
        told = chain.told(DOWN, gone)
        print(f"store down to message: {told}")
        assert chain.alerts() == {"StoreDown"}
        time.sleep(MINUTE / 2)
        assert chain.alerts() == {"StoreDown"}
        assert all(titles == [FAILED, RESOLVED, DOWN] for titles in messages.titles.values())
