"""The object store, by what MinIO says of itself."""

from __future__ import annotations

from typing import Any

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from .bricks import BAD, GOOD, WARNING, Looks, Query, Rows, now, over_time, page

NONE = "No answer from MinIO"
FREE = "minio_cluster_capacity_usable_free_bytes"
TOTAL = "minio_cluster_capacity_usable_total_bytes"
SIZE, OBJECTS = "minio_bucket_usage_total_bytes", "minio_bucket_usage_object_total"
REQUESTS = "minio_s3_requests_total"
# A total, for a rate does not see the first of a kind. MinIO tells of none until then.
FAILED = f"sum(minio_s3_requests_5xx_errors_total) or 0 * sum({REQUESTS})"


def store() -> Dashboard:
    """A page for who runs the machines."""
    rows: Rows = {
        "Is it well?": [_health(), _drives(), _free(), _failed(), _refused(), _uptime()],
        "What it holds": [
            _line("Capacity", _CAPACITY, "bytes", 8, Query(TOTAL, "usable"), Query(FREE, "free")),
            _line("Size of each bucket", _SCAN, "bytes", 8, _by_bucket(SIZE)),
            _line("Objects of each bucket", _SCAN, "locale", 8, _by_bucket(OBJECTS)),
        ],
        "What it is asked": [
            _line("Requests", "Requests a second, by kind.", "reqps", 12, _by_kind(REQUESTS)),
            _line(
                "Errors", _ERRORS, "locale", 12,
                Query("sum(minio_s3_requests_4xx_errors_total)", "4xx"), Query(FAILED, "5xx"),
            ),
            _line("Time to the first byte", _LATENCY, "s", 12, _slowest(0.5), _slowest(0.95)),
            _line(
                "Traffic", "Bytes a second.", "Bps", 12,
                Query(_rate("minio_s3_traffic_received_bytes"), "received"),
                Query(_rate("minio_s3_traffic_sent_bytes"), "sent"),
            ),
        ],
        "What it takes": [
            _line(
                "Memory", "Of MinIO's process; the stack lets it have 1 GiB.", "bytes", 12,
                Query("minio_node_process_resident_memory_bytes", "memory"),
            ),
            _line(
                "Processor", "Processors that MinIO's process keeps busy.", "none", 12,
                Query("rate(minio_node_process_cpu_total_seconds[$__rate_interval])", "processors"),
            ),
        ],
    }  # fmt: skip
    return page("store", "Lake: store", "MinIO, by its own metrics.", rows)


_CAPACITY = "What the drives hold, and what of it is free. MinIO refuses writes when they are full."
_SCAN = "As of MinIO's last scan, which may be some minutes old; logs and history are counted."
_ERRORS = (
    "Errors since MinIO's start. 4xx: the client's; some are right, for the pipeline asks for "
    "what may not be there, and publishes on a condition. 5xx: the store's own. What to do: "
    "docs/monitoring.md, 'Store down'."
)
_LATENCY = (
    "Half of the requests, and 95 of 100, were answered within it. MinIO's least step is 50 ms, so "
    "what is below is a guess."
)


def _line(title: str, text: str, unit: str, width: int, *queries: Query) -> timeseries.Panel:
    return over_time(Looks(title, text, unit, width, 8, none=NONE), *queries)


def _by_bucket(metric: str) -> Query:
    return Query(f"max by(bucket) ({metric})", "{{bucket}}")


def _by_kind(metric: str) -> Query:
    return Query(f"sum by(api) (rate({metric}[$__rate_interval]))", "{{api}}")


def _rate(metric: str) -> str:
    return f"sum(rate({metric}[$__rate_interval]))"


def _slowest(share: float) -> Query:
    rate = "sum by(le) (rate(minio_s3_requests_ttfb_seconds_distribution[$__rate_interval]))"
    return Query(f"histogram_quantile({share}, {rate})", f"{share:.0%} of the requests")


def _health() -> stat.Panel:
    text = "Whether MinIO can read and write. What to do: docs/monitoring.md, 'Store down'."
    words = {1: ("well", GOOD), 0: ("unwell", BAD)}
    return _number("Health", text, "none", "minio_cluster_health_status", words=words)


def _drives() -> stat.Panel:
    text = "Drives that MinIO cannot reach."
    steps = {0: GOOD, 1: BAD}
    return _number("Drives offline", text, "none", "minio_cluster_drive_offline_total", steps=steps)


def _free() -> stat.Panel:
    steps = {0: BAD, 0.1: WARNING, 0.2: GOOD}
    return _number("Free", _CAPACITY, "percentunit", f"{FREE} / {TOTAL}", steps=steps)


def _failed() -> stat.Panel:
    text = "Requests that the store itself failed at (5xx), since MinIO's start."
    return _number("Failed requests", text, "locale", FAILED, steps={0: GOOD, 1: WARNING})


def _refused() -> stat.Panel:
    text = "Requests with a wrong key or signature, since MinIO's start."
    expr = "sum(minio_s3_requests_rejected_auth_total)"
    return _number("Refused requests", text, "locale", expr, steps={0: GOOD, 1: WARNING})


def _uptime() -> stat.Panel:
    return _number("Up for", "Since MinIO's start.", "s", "minio_node_process_uptime_seconds")


def _number(title: str, text: str, unit: str, expr: str, **looks: Any) -> stat.Panel:
    return now(Looks(title, text, unit, 4, none=NONE, **looks), Query(expr, ""))
