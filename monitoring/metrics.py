"""The metrics: their names, what they say, and their values of a view of the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .lakeview import LayerView, View
from .summary import Summary


@dataclass(frozen=True)
class Metric:
    """A gauge of the whole lake, given the view and the seconds between two runs."""

    name: str
    text: str
    value: Callable[[View, float], float]


@dataclass(frozen=True)
class LayerMetric:
    """A gauge of each layer, with the label `layer`."""

    name: str
    text: str
    value: Callable[[LayerView], float]


def _told(value: Callable[[Summary], float]) -> Callable[[LayerView], float]:
    """What the layer's manifest says; 0 where there is none."""
    return lambda layer: value(layer.summary) if layer.summary else 0.0


LAKE_METRICS = (
    Metric("breweries_up", "1 if the store answered at the last look.", lambda v, _: v.up),
    Metric(
        "breweries_look_timestamp_seconds",
        "When the lake was last read, in Unix seconds; 0 for never.",
        lambda v, _: v.succeeded,
    ),
    Metric(
        "breweries_look_duration_seconds", "How long the last look took.", lambda v, _: v.seconds
    ),
    Metric(
        "breweries_schedule_interval_seconds",
        "Time between two runs at most, as triggers.yaml says; 0 for no schedule.",
        lambda _, interval: interval,
    ),
)
LAYER_METRICS = (
    LayerMetric(
        "breweries_layer_up",
        "1 if the layer's bucket, manifests and logs could be read and understood.",
        lambda v: v.up,
    ),
    LayerMetric(
        "breweries_layer_objects", "Objects under data/, history included.", lambda v: v.objects
    ),
    LayerMetric("breweries_layer_size_bytes", "Their bytes.", lambda v: v.bytes),
    LayerMetric(
        "breweries_layer_last_success_timestamp_seconds",
        "When the current version was published or last confirmed, by the store's clock; "
        "0 for never.",
        lambda v: v.last_success,
    ),
    LayerMetric("breweries_layer_error_logs", "Error logs that are kept.", lambda v: v.error_logs),
    LayerMetric(
        "breweries_layer_last_error_timestamp_seconds",
        "When the newest error log was stored, by the store's clock; 0 for never.",
        lambda v: v.error.timestamp,
    ),
    LayerMetric(
        "breweries_layer_failed",
        "1 if the newest error is later than the last success.",
        lambda v: v.failed,
    ),
    LayerMetric(
        "breweries_run_input_rows",
        "Rows that the current version was made from.",
        _told(lambda m: m.rows_in),
    ),
    LayerMetric(
        "breweries_run_output_rows", "Rows of the current version.", _told(lambda m: m.rows_out)
    ),
    LayerMetric(
        "breweries_run_rejected_rows",
        "Rows that could not be used.",
        _told(lambda m: m.rows_rejected),
    ),
    LayerMetric(
        "breweries_run_duplicate_rows",
        "Rows that were there already.",
        _told(lambda m: m.rows_duplicate),
    ),
    LayerMetric(
        "breweries_run_duration_seconds",
        "How long the layer's step took.",
        _told(lambda m: m.seconds),
    ),
    LayerMetric(
        "breweries_run_complete",
        "1 if every check of the current version held: the API's totals at bronze, the accounting "
        "of the rows after it.",
        lambda v: v.complete,
    ),
    LayerMetric(
        "breweries_drift_flags",
        "Changes of the data that were noted when the current version was published.",
        _told(lambda m: len(m.drift)),
    ),
)


class LakeCollector(Collector):
    """What Prometheus' client asks at each scrape.

    Args:
        view: gives the newest view of the lake.
        interval: gives the seconds between two runs.
    """

    def __init__(self, view: Callable[[], View], interval: Callable[[], float]) -> None:
        self._view = view
        self._interval = interval

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The names alone, so that nothing is looked at when this is registered."""
        for metric in LAKE_METRICS:
            yield GaugeMetricFamily(metric.name, metric.text)
        for layer_metric in LAYER_METRICS:
            yield GaugeMetricFamily(layer_metric.name, layer_metric.text, labels=["layer"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of one view."""
        view, interval = self._view(), self._interval()
        for metric in LAKE_METRICS:
            yield GaugeMetricFamily(metric.name, metric.text, metric.value(view, interval))
        for layer_metric in LAYER_METRICS:
            family = GaugeMetricFamily(layer_metric.name, layer_metric.text, labels=["layer"])
            for layer, seen in view.layers.items():
                family.add_metric([layer], layer_metric.value(seen))
            yield family


def table() -> str:
    """The list of metrics for docs/monitoring.md."""
    rows = [
        *(f"| `{m.name}` | {m.text} |" for m in LAKE_METRICS),
        *(f"| `{m.name}{{layer}}` | {m.text} |" for m in LAYER_METRICS),
    ]
    return "\n".join(["| metric | says |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
