"""A look at the lake: what its listings, manifests and error logs say. It only reads.

Successes and errors are compared by the store's clock alone, whatever the time in their content.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from data.medallion.lake.datasets import DATASETS, LAYERS, LOGS, Dataset, Layer
from data.medallion.lake.errors import (
    BucketMissing,
    LakeError,
    ManifestMissing,
    ManifestTooNew,
    ManifestUnreadable,
    StoreUnreachable,
)
from data.medallion.lake.store import Listed
from data.medallion.lake.versions import Lake
from data.medallion.settings import Settings

from .summary import Summary

STORE_SECONDS = 2.0  # for one answer of the store; those who ask us wait too
LARGEST_LOG = 1 << 20  # bytes; a larger error log is told of, but not read
LARGEST_MANIFEST = 128 << 20  # bytes, of half a million objects; to read one takes twice as many
LONGEST_TEXT = 2000  # characters of a message
LONGEST_LINE = 400  # characters of a title


@dataclass(frozen=True)
class ErrorLog:
    """The newest error log of a layer, as a person needs it."""

    timestamp: float = 0.0
    log: str = ""
    time: str = ""
    block: str = ""
    run: str = ""
    type: str = ""
    message: str = ""

    @property
    def line(self) -> str:
        """What happened, in one line."""
        told = ": ".join(filter(None, (self.type, self.message))) or f"see {self.log}"
        return " ".join(told.split())[:LONGEST_LINE]


@dataclass(frozen=True)
class ManifestView:
    """A dataset's manifest, as it was when it was last read; the defaults where there is none."""

    etag: str = ""
    summary: Summary | None = None
    problem: str = ""
    """Why it cannot be understood; "" if it can."""


@dataclass(frozen=True)
class LayerView:
    """One layer at one look; what was never seen is 0."""

    problem: str = "it was not looked at yet"
    """Why the layer cannot be read or understood; "" if it can."""
    objects: int = 0
    bytes: int = 0
    last_success: float = 0.0
    """When the older of its datasets was last published or confirmed."""
    error_logs: int = 0
    error: ErrorLog = ErrorLog()
    manifests: Mapping[Dataset, ManifestView] = field(default_factory=dict)
    summary: Summary | None = None
    """Of the layer's main dataset; the last one that could be read."""

    @property
    def up(self) -> bool:
        """Whether the layer could be read and understood."""
        return not self.problem

    @property
    def failed(self) -> bool:
        """Whether the newest error came after the last success.

        A block's check may fail in the very second of its publish.
        """
        return 0 < self.error.timestamp >= self.last_success

    @property
    def failure(self) -> str:
        """What happened if it failed; "" if not."""
        return self.error.line if self.failed else ""

    @property
    def complete(self) -> bool:
        """Whether there is a version of which every check held."""
        return self.summary is not None and self.summary.complete


@dataclass(frozen=True)
class View:
    """The lake at one look."""

    layers: Mapping[Layer, LayerView]
    problem: str = "the store was not asked yet"
    """Why the store did not answer; "" if it did."""
    succeeded: float = 0.0
    """When the lake was last read, by our own clock."""
    seconds: float = 0.0

    @property
    def up(self) -> bool:
        """Whether the store answered."""
        return not self.problem


NOTHING = View({layer: LayerView() for layer in LAYERS})


def look(lake: Lake, before: View) -> View:
    """Look at the lake; what cannot be read stays as it was before."""
    started = time.monotonic()
    try:
        layers = {layer: look_at(lake, layer, before.layers[layer]) for layer in LAYERS}
        view = View(layers, problem="", succeeded=time.time())
    except StoreUnreachable as error:
        view = unanswered(before, str(error))
    return replace(view, seconds=time.monotonic() - started)


def unanswered(before: View, problem: str) -> View:
    """What is known while the store does not answer."""
    unread = "the store did not answer"
    layers = {layer: replace(seen, problem=unread) for layer, seen in before.layers.items()}
    return replace(before, layers=layers, problem=problem)


def look_at(lake: Lake, layer: Layer, before: LayerView) -> LayerView:
    """Look at one layer.

    Raises:
        StoreUnreachable: the store does not answer.
    """
    datasets = [dataset for dataset in DATASETS if dataset.layer == layer]
    try:
        data, logs = lake.listed(layer, "data/"), lake.listed(layer, LOGS)
        manifests = {
            dataset: _manifest(lake, dataset, before.manifests.get(dataset)) for dataset in datasets
        }
        newest = _newest(lake, layer, logs, before.error)
    except StoreUnreachable:
        raise
    except BucketMissing as error:  # each layer's first run makes its own
        return replace(before, problem=str(error) if before.last_success else "")
    except Exception as error:  # whatever a layer holds, the others are seen
        return replace(before, problem=f"{type(error).__name__}: {error}")
    confirmed = (data.get(dataset.manifest) for dataset in datasets)
    problem = " ".join(seen.problem for seen in manifests.values() if seen.problem)
    return LayerView(
        problem=problem,
        objects=len(data),
        bytes=sum(found.bytes for found in data.values()),
        last_success=min(found.modified if found else 0.0 for found in confirmed),
        error_logs=len(logs),
        error=newest,
        manifests=manifests,
        summary=before.summary if problem else manifests[datasets[0]].summary,
    )


def _manifest(lake: Lake, dataset: Dataset, before: ManifestView | None) -> ManifestView:
    """A dataset's manifest; it is read only when it is not the one of before."""
    there = lake.head(dataset.layer, dataset.manifest)
    if there is None:
        return ManifestView()  # not published yet, which the time of its last success says
    if before and there.etag and before.etag == there.etag:
        return before
    if there.bytes > LARGEST_MANIFEST:
        name = f"{dataset.layer}/{dataset.manifest}"
        return ManifestView(
            there.etag,
            problem=f"{name} has {there.bytes:,} bytes: the exporter reads {LARGEST_MANIFEST:,}.",
        )
    try:
        summary, _, etag = lake.told(dataset, Summary.from_bytes)
    except ManifestMissing:
        return ManifestView()
    except (ManifestUnreadable, ManifestTooNew) as error:
        return ManifestView(there.etag, problem=str(error))
    return ManifestView(etag, summary)


def _newest(lake: Lake, layer: Layer, logs: Mapping[str, Listed], before: ErrorLog) -> ErrorLog:
    """The error log that the store took last; of all the others, only the listing is read."""
    if not logs:
        return ErrorLog()
    key, found = max(logs.items(), key=lambda entry: (entry[1].modified, entry[0]))
    name = f"{layer}/{key}"
    if (before.log, before.timestamp) == (name, found.modified):
        return before
    unread = ErrorLog(timestamp=found.modified, log=name)
    if found.bytes > LARGEST_LOG:
        return replace(unread, message=f"{name} has {found.bytes:,} bytes: read it in the store.")
    try:
        content = b"".join(lake.part(layer, key, 0, found.bytes))
    except LakeError:  # removed since it was listed
        return unread
    try:
        told = json.loads(content)
        text = partial(_text, told)
        return replace(
            unread,
            time=text("time"),
            block=text("block"),
            run=text("run"),
            type=text("exception_type"),
            message=text("message"),
        )
    except (ValueError, AttributeError, RecursionError):
        start = content[:LONGEST_TEXT].decode(errors="replace").replace("\0", "")
        return replace(unread, message=f"{name} is no error log of ours; it begins: {start}")


def _text(told: Any, field: str) -> str:
    # Zabbix takes no JSON with a NUL in it.
    return str(told.get(field, "")).replace("\0", "")[:LONGEST_TEXT]


def connect() -> Lake:
    """The lake of the settings, for one who must not wait long."""
    settings = Settings.load()
    seconds = min(settings.store_timeout, STORE_SECONDS)
    return Lake.connect(settings.model_copy(update={"store_timeout": seconds}), patient=False)
