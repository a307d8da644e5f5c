"""A look reads the lake's listings, newest versions and error logs. It never writes.

A look lists each bucket once, and divides its objects and logs among the flows. It compares the
times of successes and errors by the store's clock, not by the times in their content.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from data.medallion.flow import Flow
from data.medallion.lake.datasets import DATA, LAYERS, LEASES, LOGS, OBJECTS, Dataset, Layer
from data.medallion.lake.error_logs import newest
from data.medallion.lake.errors import BucketMissing, LakeError, StoreUnreachable
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Content
from data.medallion.lake.store import ObjectInfo, Store
from data.medallion.settings import LakeSettings

from .errorlog import NO_ERROR, ErrorLog, read_newest
from .version_numbers import VersionNumbers

STORE_SECONDS = 2.0  # for one response of the store; our own clients wait meanwhile
LARGEST_MANIFEST = 128 << 20  # bytes, for half a million objects; reading it takes twice as many

NOBODY = ""  # the owner of objects that belong to no flow

NO_ENTRY = ObjectInfo(0, 0.0)

K = TypeVar("K")


@dataclass(frozen=True)
class VersionLook:
    """A dataset's newest version; the defaults mean that there is none."""

    number: int = 0
    entry: ObjectInfo = NO_ENTRY
    """Its log entry in the listing; it was stored when the version was published."""
    numbers: VersionNumbers | None = None
    problem: str = ""
    """Why the entry cannot be read; "" if it can."""


@dataclass(frozen=True)
class LayerLook:
    """One layer of one flow; values that were never read are 0."""

    problem: str = "it was not read yet"
    """Why the layer cannot be read; "" if it can."""
    objects: int = 0
    bytes: int = 0
    last_success: float = 0.0
    """When its datasets were last published: the oldest of these times."""
    error_logs: int = 0
    error: ErrorLog = NO_ERROR
    versions: Mapping[Dataset, VersionLook] = field(default_factory=dict)
    numbers: VersionNumbers | None = None
    """The last readable version of the layer's main dataset."""
    leases: Mapping[str, Content | None] = field(default_factory=dict)
    """The key of each lease to its content; each renewal changes the content."""
    behind: bool = False
    """Whether its version differs from the previous layer's while no run is active."""

    @property
    def up(self) -> bool:
        """Whether the layer could be read."""
        return not self.problem

    @property
    def failed(self) -> bool:
        """Whether the newest error is not older than the last success.

        They may be equal, because a block's check can fail in the same second as its publish.
        """
        return 0 < self.error.timestamp >= self.last_success

    @property
    def failure(self) -> str:
        """The error in one line; "" if the layer has not failed."""
        return self.error.line if self.failed else ""

    @property
    def complete(self) -> bool:
        """Whether there is a version, and all its checks held."""
        return self.numbers is not None and self.numbers.complete


@dataclass(frozen=True)
class Unowned:
    """Objects in a layer's bucket that belong to no flow, such as those of a removed flow."""

    objects: int = 0
    error_logs: int = 0
    newest: str = ""
    """The name of the newest of these logs."""


@dataclass(frozen=True)
class LakeLook:
    """The whole lake."""

    datasets: Mapping[str, Mapping[Layer, LayerLook]]
    """Flow name to its layers."""
    unowned: Mapping[Layer, Unowned]
    problem: str = "the store was not read yet"
    """Why the store did not respond; "" if it did."""
    succeeded: float = 0.0
    """When the lake was last read, in Unix seconds by our own clock."""
    seconds: float = 0.0

    @classmethod
    def none(cls, flows: Iterable[Flow]) -> LakeLook:
        """The state before the first look."""
        datasets = {
            flow.name: {layer: LayerLook() for layer, written in flow.layers.items() if written}
            for flow in flows
        }
        return cls(datasets, {layer: Unowned() for layer in LAYERS})

    @property
    def up(self) -> bool:
        """Whether the store responded."""
        return not self.problem

    def unanswered(self, problem: str) -> LakeLook:
        """The last known state, while the store does not respond."""
        datasets = {
            name: _unread(layers, "the store did not respond")
            for name, layers in self.datasets.items()
        }
        return replace(self, datasets=datasets, problem=problem)


def look(lake: Lake, flows: Sequence[Flow], before: LakeLook) -> LakeLook:
    """Look at the lake; parts that cannot be read keep their previous values."""
    started = time.monotonic()
    datasets: dict[str, dict[Layer, LayerLook]] = {flow.name: {} for flow in flows}
    unowned = dict(before.unowned)
    try:
        for layer in LAYERS:
            known = {n: layers[layer] for n, layers in before.datasets.items() if layer in layers}
            seen, unowned[layer] = _look_at(lake, layer, flows, known, unowned[layer])
            for name, layer_look in seen.items():
                datasets[name][layer] = layer_look
        compared = {
            name: _compared(datasets[name], known) for name, known in before.datasets.items()
        }
        now = LakeLook(compared, unowned, problem="", succeeded=time.time())
    except StoreUnreachable as error:
        now = before.unanswered(str(error))
    return replace(now, seconds=time.monotonic() - started)


def _compared(
    layers: Mapping[Layer, LayerLook], before: Mapping[Layer, LayerLook]
) -> dict[Layer, LayerLook]:
    """Set `behind` in the layers of a flow, by comparing each layer with the previous one.

    A run is active if a lease is new, or was renewed since the previous look.
    """
    under_way = any(
        before[layer].leases.get(key) != content
        for layer, seen in layers.items()
        for key, content in seen.leases.items()
    )
    compared, snapshot = dict(layers), ""
    for layer, seen in layers.items():
        own = {
            version.numbers.snapshot if version.numbers else ""
            for version in seen.versions.values()
        }
        behind = bool(snapshot) and not under_way and own != {snapshot}
        compared[layer] = replace(seen, behind=behind)
        snapshot = seen.numbers.snapshot if seen.numbers else ""
    return compared


def _look_at(
    lake: Lake,
    layer: Layer,
    flows: Sequence[Flow],
    before: Mapping[str, LayerLook],
    unowned: Unowned,
) -> tuple[Mapping[str, LayerLook], Unowned]:
    """Look at one layer's bucket; returns each flow's part of it, and the objects of no flow.

    Raises:
        StoreUnreachable: the store does not respond.
    """
    try:
        bucket = Bucket(lake.store, layer, flows)
    except StoreUnreachable:
        raise
    except BucketMissing as error:  # a layer's first run creates its bucket
        missing = {
            name: replace(seen, problem=str(error) if seen.last_success else "")
            for name, seen in before.items()
        }
        return missing, unowned
    except Exception as error:  # an error in one layer must not hide the others
        return _unread(before, _sentence(error)), unowned
    named = {flow.name: flow for flow in flows}
    seen = {name: _look_at_flow(lake, bucket, named[name], last) for name, last in before.items()}
    return seen, bucket.unowned


class Bucket:
    """A layer's listings, divided among the flows that may own the objects and error logs."""

    def __init__(self, store: Store, layer: Layer, flows: Sequence[Flow]) -> None:
        data, objects, logs, leases = (
            store.listed(layer, prefix) for prefix in (DATA, OBJECTS, LOGS, LEASES)
        )
        self.layer, self.data, self.leases = layer, data, leases
        self.objects: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.logs: dict[str, dict[str, ObjectInfo]] = {NOBODY: {}, **{f.name: {} for f in flows}}
        self._flows = flows
        for key, listed in (data | objects).items():
            owner = self._owner(key)
            self.objects[owner] += 1
            self.bytes[owner] += listed.bytes
        for key, listed in logs.items():
            self.logs[self._owner(key)][key] = listed

    @property
    def unowned(self) -> Unowned:
        """The objects and logs that belong to no flow."""
        logs = self.logs[NOBODY]
        last = newest(logs)
        return Unowned(self.objects[NOBODY], len(logs), f"{self.layer}/{last}" if last else "")

    def _owner(self, key: str) -> str:
        return next((flow.name for flow in self._flows if flow.owns(self.layer, key)), NOBODY)


def _look_at_flow(lake: Lake, bucket: Bucket, flow: Flow, before: LayerLook) -> LayerLook:
    """A flow's part of a layer."""
    datasets, logs = flow.layers[bucket.layer], bucket.logs[flow.name]
    try:
        versions = {
            dataset: _version(lake, dataset, bucket.data, before.versions.get(dataset))
            for dataset in datasets
        }
        error = read_newest(lake.store, bucket.layer, logs, before.error)
        leases = {
            dataset.lease: lake.store.get(bucket.layer, dataset.lease)
            for dataset in datasets
            if dataset.lease in bucket.leases
        }
    except StoreUnreachable:
        raise
    except Exception as wrong:  # an error in one flow must not hide the others
        return replace(before, problem=_sentence(wrong))
    problem = " ".join(version.problem for version in versions.values() if version.problem)
    return LayerLook(
        problem=problem,
        objects=bucket.objects[flow.name],
        bytes=bucket.bytes[flow.name],
        last_success=min(version.entry.modified for version in versions.values()),
        error_logs=len(logs),
        error=error,
        versions=versions,
        numbers=before.numbers if problem else versions[datasets[0]].numbers,
        leases=leases,
    )


def _version(
    lake: Lake, dataset: Dataset, listed: Mapping[str, ObjectInfo], before: VersionLook | None
) -> VersionLook:
    """A dataset's newest version. Its log entry never changes, so it is read once."""
    number = max(lake.log(dataset).numbers(listed), default=0)
    if number == 0:
        return VersionLook()  # not published yet
    key = dataset.entry(number)
    seen = VersionLook(number, listed[key])
    if before and (before.number, before.entry) == (number, seen.entry):
        return before
    if seen.entry.bytes > LARGEST_MANIFEST:
        size = f"{seen.entry.bytes:,} bytes: the exporter reads {LARGEST_MANIFEST:,}"
        return replace(seen, problem=f"{dataset.layer}/{key} has {size}.")
    try:
        return replace(seen, numbers=VersionNumbers.read(lake.store, dataset, key))
    except LakeError as error:
        with suppress(LakeError):  # as `VersionLog.newest`
            copy = VersionNumbers.read(lake.store, dataset, dataset.manifest)
            if copy.version >= number:
                return replace(seen, numbers=copy)
        return replace(seen, problem=str(error))


def _unread(looks: Mapping[K, LayerLook], problem: str) -> dict[K, LayerLook]:
    """The last known state of layers that cannot be read now."""
    return {key: replace(seen, problem=problem) for key, seen in looks.items()}


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def connect() -> Lake:
    """The lake of the settings, with short timeouts."""
    settings = LakeSettings.load()
    seconds = min(settings.store_timeout, STORE_SECONDS)
    return Lake.connect(settings.model_copy(update={"store_timeout": seconds}), retry_more=False)
