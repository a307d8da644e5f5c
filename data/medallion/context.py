"""What the work on a flow has at hand, and what a block hands to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from .flow import Flow
from .lake.lake import Lake
from .work.engine import Engine


@dataclass(frozen=True)
class FlowContext:
    """The flow, the lake that has its datasets, and the engine that runs its tasks."""

    lake: Lake
    engine: Engine
    flow: Flow


class Summary(TypedDict, total=False):
    """A block's return value, which Mage keeps as JSON: names and counts. Counts are of rows."""

    run: str
    entry: str  # the log entry that the block published, in its layer
    snapshot: str
    manifest: str  # layer and key
    rows_in: int
    rows_out: int
    rows_rejected: int
    rows_duplicate: int
    seconds: float
    objects_written: int
    # Of bronze.
    snapshots_removed: int
    # Of silver.
    partitions: int
    objects_removed: int
    added: int
    removed: int
    moved: int
    recategorized: int
    changed: int
    drift: list[str]
    # Of gold and the chart.
    tables: dict[str, int]  # gold table to its rows
    picture: str  # the local files
    report: str
