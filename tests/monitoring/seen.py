"""What an exporter answers of a dataset, and what a test puts in its way."""

import threading
import time

import requests
from prometheus_client.parser import text_string_to_metric_families

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from monitoring.metrics import LAYER_METRICS
from monitoring.server import Exporter
from tests.faults.runs import through_blocks

OF_LAYERS = {
    (metric.name.removeprefix("lake_"), layer) for metric in LAYER_METRICS for layer in LAYERS
}


class Seen:
    """An exporter, and what it answers of a dataset."""

    def __init__(self, watch):
        self.exporter = Exporter(("127.0.0.1", 0), watch)
        threading.Thread(target=self.exporter.serve_forever, args=(0.02,), daemon=True).start()

    def get(self, path):
        return requests.get(f"{self.exporter.url}{path}", timeout=60)

    def metrics(self, dataset=FLOW.name):
        """Values by name without the prefix, and by layer where there is one; none is missing."""
        answer = self.get("/metrics")
        assert answer.ok
        found = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                labels = dict(sample.labels)
                if labels.pop("dataset", dataset) == dataset:
                    found[(family.name.removeprefix("lake_"), *labels.values())] = sample.value
        assert found.keys() >= OF_LAYERS
        return found

    def error(self, layer, dataset=FLOW.name):
        return self.get("/errors").json()[dataset][layer]

    def health(self):
        return self.get("/healthz").json()

    def problem(self, layer, dataset=FLOW.name):
        return self.health()["datasets"][dataset][layer]


def put(world, layer, key, content):
    world.lake.store.put(layer, key, content.encode() if isinstance(content, str) else content)


def run():
    through_blocks(FLOW.datasets)


def next_second():
    """The store's times may be whole seconds."""
    time.sleep(1.1)


def log_of(run, dataset=FLOW.silver):
    """The key of an error log of a run."""
    return f"logs/{run}-{dataset.block}.json"


def only_failed(metrics):
    return {layer for layer in LAYERS if metrics["layer_failed", layer]}


def only_unreadable(metrics):
    return {layer for layer in LAYERS if not metrics["layer_up", layer]}
