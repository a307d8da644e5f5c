"""The metrics: their names, their meanings, and how to get their values from a look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .look import LakeLook, LayerLook, Unowned
from .version_numbers import VersionNumbers

T = TypeVar("T")


@dataclass(frozen=True)
class Metric(Generic[T]):
    """A gauge of a part of a look."""

    name: str
    text: str
    value: Callable[[T], float]


def _version(value: Callable[[VersionNumbers], float]) -> Callable[[LayerLook], float]:
    """A value of the layer's version; 0 if there is none."""
    return lambda layer: value(layer.numbers) if layer.numbers else 0.0


LAKE_METRICS: tuple[Metric[LakeLook], ...] = (
    Metric("lake_up", "1 if the store responded at the last look.", lambda v: v.up),
    Metric(
        "lake_look_timestamp_seconds",
        "When the lake was last read, in Unix seconds; 0 for never.",
        lambda v: v.succeeded,
    ),
    Metric("lake_look_duration_seconds", "How long the last look took.", lambda v: v.seconds),
)
BUCKET_METRICS: tuple[Metric[Unowned], ...] = (
    Metric(
        "lake_unowned_objects",
        "Objects that are of no dataset of this project.",
        lambda v: v.objects,
    ),
    Metric(
        "lake_unowned_error_logs",
        "Error logs that are of no dataset of this project.",
        lambda v: v.error_logs,
    ),
)
"""The metrics of each layer, with the label `layer`."""

DATASET_METRICS: tuple[Metric[float], ...] = (
    Metric(
        "lake_schedule_interval_seconds",
        "Time between two runs at most, as triggers.yaml says; 0 for no schedule.",
        lambda seconds: seconds,
    ),
)
"""The metrics of each flow, with the label `dataset`; their input is the seconds between runs."""

LAYER_METRICS: tuple[Metric[LayerLook], ...] = (
    Metric(
        "lake_layer_up",
        "1 if the layer's bucket, manifests and logs could be read and understood.",
        lambda v: v.up,
    ),
    Metric("lake_layer_objects", "Its objects, history included.", lambda v: v.objects),
    Metric("lake_layer_size_bytes", "Their bytes.", lambda v: v.bytes),
    Metric(
        "lake_layer_last_success_timestamp_seconds",
        "When the current version was published or last confirmed, by the store's clock; "
        "0 for never.",
        lambda v: v.last_success,
    ),
    Metric("lake_layer_error_logs", "Error logs that are kept.", lambda v: v.error_logs),
    Metric(
        "lake_layer_last_error_timestamp_seconds",
        "When the newest error log was stored, by the store's clock; 0 for never.",
        lambda v: v.error.timestamp,
    ),
    Metric(
        "lake_layer_failed",
        "1 if the newest error is later than the last success.",
        lambda v: v.failed,
    ),
    Metric(
        "lake_layer_behind",
        "1 if it is of another version than the layer before it, and no run is under way.",
        lambda v: v.behind,
    ),
    Metric(
        "lake_run_input_rows",
        "Rows that the current version was made from.",
        _version(lambda m: m.rows_in),
    ),
    Metric("lake_run_output_rows", "Rows of the current version.", _version(lambda m: m.rows_out)),
    Metric("lake_run_rejected_rows", "Rejected records.", _version(lambda m: m.rows_rejected)),
    Metric(
        "lake_run_duplicate_rows",
        "Duplicate rows; silver keeps the last one.",
        _version(lambda m: m.rows_duplicate),
    ),
    Metric(
        "lake_run_duration_seconds",
        "How long the layer's step took.",
        _version(lambda m: m.seconds),
    ),
    Metric(
        "lake_run_complete",
        "1 if every check of the current version held: the API's totals at bronze, the accounting "
        "of the rows after it.",
        lambda v: v.complete,
    ),
    Metric(
        "lake_drift_flags",
        "Changes of the data that were noted when the current version was published.",
        _version(lambda m: len(m.drift)),
    ),
)
"""The metrics of each layer of each flow, with the labels `dataset` and `layer`."""


class LakeCollector(Collector):
    """Collects the metrics for each scrape, for Prometheus' client.

    Args:
        newest: returns the newest look at the lake.
        interval: returns the seconds between two runs of a flow.
    """

    def __init__(self, newest: Callable[[], LakeLook], interval: Callable[[str], float]) -> None:
        self._newest = newest
        self._interval = interval

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The metrics without values, so that the registration causes no look."""
        yield from _families(LAKE_METRICS, (), ())
        yield from _families(BUCKET_METRICS, ("layer",), ())
        yield from _families(DATASET_METRICS, ("dataset",), ())
        yield from _families(LAYER_METRICS, ("dataset", "layer"), ())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All metrics of one look."""
        lake = self._newest()
        layers = (
            ((dataset, layer), seen)
            for dataset, of_dataset in lake.datasets.items()
            for layer, seen in of_dataset.items()
        )
        buckets = (((layer,), unowned) for layer, unowned in lake.unowned.items())
        intervals = (((dataset,), self._interval(dataset)) for dataset in lake.datasets)
        yield from _families(LAKE_METRICS, (), [((), lake)])
        yield from _families(BUCKET_METRICS, ("layer",), buckets)
        yield from _families(DATASET_METRICS, ("dataset",), intervals)
        yield from _families(LAYER_METRICS, ("dataset", "layer"), layers)


def _families(
    metrics: Sequence[Metric[T]],
    labels: Sequence[str],
    members: Iterable[tuple[tuple[str, ...], T]],
) -> Iterator[GaugeMetricFamily]:
    """Yield each metric, with one value per member under the member's labels."""
    known = list(members)
    for metric in metrics:
        family = GaugeMetricFamily(metric.name, metric.text, labels=labels)
        for values, member in known:
            family.add_metric(values, metric.value(member))
        yield family


def names() -> dict[str, str]:
    """The name of every metric with its labels, as in the documents, to its meaning."""
    return {
        **{metric.name: metric.text for metric in LAKE_METRICS},
        **{f"{metric.name}{{layer}}": metric.text for metric in BUCKET_METRICS},
        **{f"{metric.name}{{dataset}}": metric.text for metric in DATASET_METRICS},
        **{f"{metric.name}{{dataset,layer}}": metric.text for metric in LAYER_METRICS},
    }


def table() -> str:
    """The list of metrics for docs/monitoring.md."""
    rows = [f"| `{name}` | {text} |" for name, text in names().items()]
    return "\n".join(["| metric | says |", "|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
