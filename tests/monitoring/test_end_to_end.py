"""A block fails in a real `mage run`; who should know does, within a minute, and nobody else."""

import os
import time
from contextlib import ExitStack

import pytest
import requests

from data.medallion.lake.datasets import LAYERS, LOGS
from data.medallion.lake.versions import Lake
from data.medallion.settings import LakeSettings
from tests.monitoring.seen import log_of
from tests.monitoring.servers import (
    STATIONS_TOO,
    Messages,
    alertmanager,
    exporter,
    pipeline,
    prometheus,
)
from tests.monitoring.stations import STATIONS, publish
from tests.programs import needs_prometheus
from tests.waiting import wait_for

pytestmark = needs_prometheus

MINUTE = 60
BY = ("slack", "mail")
FAILED = "FIRING: The bronze layer of breweries failed"
RESOLVED = "RESOLVED: The bronze layer of breweries failed"
STATIONS_FAILED = "FIRING: The silver layer of lightships failed"
STATIONS_RESOLVED = "RESOLVED: The silver layer of lightships failed"
LABELS = ("alertname", "dataset", "layer")
DOWN = "FIRING: The object store does not answer"


class Asked:
    """What Prometheus says."""

    def __init__(self, address: str) -> None:
        self.address = address

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
        """The alerts that fire, with their dataset and layer."""
        answer = requests.get(f"http://{self.address}/api/v1/alerts", timeout=10).json()
        firing = [a for a in answer["data"]["alerts"] if a["state"] == "firing"]
        assert "error expanding" not in str(firing)
        return {
            " ".join(a["labels"][name] for name in LABELS if name in a["labels"]) for a in firing
        }


@pytest.mark.waits
def test_from_a_block_that_fails_to_the_messages_and_back(tmp_path):
    with ExitStack() as stack:
        flow = stack.enter_context(pipeline(tmp_path))
        messages = stack.enter_context(Messages())
        addresses = {
            "exporter": stack.enter_context(exporter(tmp_path, STATIONS_TOO)),
            "alertmanager": stack.enter_context(alertmanager(tmp_path, **messages.settings)),
            "minio": os.environ["MINIO_ENDPOINT"],
        }
        asked = Asked(stack.enter_context(prometheus(tmp_path, **addresses)))
        lake = Lake.connect(LakeSettings.load())

        assert flow.run() == 0, flow.log.read_text()[-3000:]
        rows = 'lake_run_output_rows{dataset="breweries"} > 0'
        wait_for(lambda: asked.ask(rows).keys() == set(LAYERS), MINUTE, 0.5)
        assert not asked.alerts()

        records, flow.api.records = flow.api.records, []
        assert flow.run() == 1
        (failed,) = (log.modified for log in lake.store.listed("bronze", LOGS).values())
        told = messages.told(FAILED, failed, *BY)
        print(f"error log to message: {told}")
        assert max(told.values()) < MINUTE
        assert asked.alerts() == {"LayerFailed breweries bronze"}

        flow.api.records = records
        assert flow.run() == 0
        succeeded = time.time()
        told = messages.told(RESOLVED, succeeded, *BY)
        print(f"success to message: {told}")
        assert max(told.values()) < 2 * MINUTE
        assert not asked.alerts()
        assert [messages.titles[way] for way in BY] == [[FAILED, RESOLVED]] * 2
        assert "docs/monitoring.md#layer-failed" in str(messages.posts["/slack"])

        # A failure of one dataset outlasts a good run of the other.
        log = log_of("1", STATIONS.silver)
        lake.store.put("silver", log, b'{"message": "no stations"}')
        messages.told(STATIONS_FAILED, time.time(), *BY)
        assert flow.run() == 0
        stored = lake.store.listed("silver", log)[log].modified
        success = 'lake_layer_last_success_timestamp_seconds{dataset="breweries", layer="silver"}'
        wait_for(lambda: asked.ask(f"{success} > {stored}"), MINUTE, 0.5)
        assert asked.alerts() == {"LayerFailed lightships silver"}
        publish(lake, STATIONS.silver, 1)
        messages.told(STATIONS_RESOLVED, time.time(), *BY)
        assert not asked.alerts()

        gone = time.time()
        flow.store.close()
        told = messages.told(DOWN, gone, *BY)
        print(f"store down to message: {told}")
        assert asked.alerts() == {"StoreDown"}
        told = messages.told(DOWN, gone, "gateway")
        print(f"store down to the gateway: {told}")
        assert asked.alerts() == {"StoreDown"}
        titles = [FAILED, RESOLVED, STATIONS_FAILED, STATIONS_RESOLVED, DOWN]
        assert [messages.titles[way] for way in BY] == [titles] * 2
        # On a slow machine, the stations' failure lasts long enough for the gateway.
        assert [title for title in messages.titles["gateway"] if "lightships" not in title] == [
            DOWN
        ]
