"""What an exporter answers of a dataset, and what a test puts in its way."""

from __future__ import annotations

import threading
import time
from functools import partial

import requests
from prometheus_client.parser import text_string_to_metric_families

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from monitoring.look import LakeLook, look
from monitoring.server import Exporter
from monitoring.watch import Watch
from tests.faults.runs import through_blocks


class Seen:
    """An exporter that looks anew at each request, and what it answers of a dataset."""

    def __init__(self, lake, watched):
        watch = Watch(partial(look, lake, watched), LakeLook.none(watched), fresh=0, patience=60)
        self.exporter = Exporter(("127.0.0.1", 0), watch)
        threading.Thread(target=self.exporter.serve_forever, args=(0.02,), daemon=True).start()

    def text(self):
        answer = requests.get(f"{self.exporter.url}/metrics", timeout=60)
        assert answer.ok
        return answer.text

    def metrics(self, dataset=FLOW.name):
        """Values by name without the prefix, and by layer where there is one."""
        found = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                labels = dict(sample.labels)
                if labels.pop("dataset", dataset) == dataset:
                    found[(family.name.removeprefix("lake_"), *labels.values())] = sample.value
        return found

    def json(self, path):
        return requests.get(f"{self.exporter.url}{path}", timeout=60).json()

    def error(self, layer, dataset=FLOW.name):
        return self.json("/errors")[dataset][layer]

    def problem(self, layer, dataset=FLOW.name):
        return self.json("/healthz")["datasets"][dataset][layer]


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
