"""A look at the lake: what its listings, manifests and error logs say. It only reads.

A bucket is listed once, and its objects and logs are split among the flows. Successes and errors
are compared by the store's clock alone, whatever the time in their content.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from data.medallion.flow import Flow
from data.medallion.lake.datasets import LAYERS, LOGS, Dataset, Layer
from data.medallion.lake.errors import (
    BucketMissing,
    ManifestMissing,
    ManifestTooNew,
    ManifestUnreadable,
    StoreUnreachable,
)
from data.medallion.lake.logs import newest
from data.medallion.lake.store import Listed
from data.medallion.lake.versions import Lake
from data.medallion.settings import LakeSettings

from .errorlog import NO_ERROR, ErrorLog, read_newest
from .summary import Summary

STORE_SECONDS = 2.0  # for one answer of the store; those who ask us wait too
LARGEST_MANIFEST = 128 << 20  # bytes, of half a million objects; to read one takes twice as many

NOBODY = ""  # whose what is no flow's is

K = TypeVar("K")


@dataclass(frozen=True)
class ManifestLook:
    """A dataset's manifest, as it was when it was last read; the defaults where there is none."""

    etag: str = ""
    summary: Summary | None = None
    problem: str = ""
    """Why it cannot be understood; "" if it can."""


@dataclass(frozen=True)
class LayerLook:
    """One layer of one flow; what was never seen is 0."""

    problem: str = "it was not looked at yet"
    """Why the layer cannot be read or understood; "" if it can."""
    objects: int = 0
    bytes: int = 0
    last_success: float = 0.0
    """When the oldest of its datasets was last published or confirmed."""
    error_logs: int = 0
    error: ErrorLog = NO_ERROR
    manifests: Mapping[Dataset, ManifestLook] = field(default_factory=dict)
    summary: Summary | None = None
    """Of the layer's main dataset; the last one that could be read."""
    leases: Mapping[str, str] = field(default_factory=dict)
    """The keys of its datasets' leases to their ETags, which each renewal changes."""
    behind: bool = False
    """Whether it is of another version than the layer before it, with no run under way."""

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
class Unowned:
    """Objects in a layer's bucket that are of no flow: of a removed one, or of somebody else."""

    objects: int = 0
    error_logs: int = 0
    newest: str = ""
    """The newest of these logs."""


@dataclass(frozen=True)
class LakeLook:
    """The whole lake."""

    datasets: Mapping[str, Mapping[Layer, LayerLook]]
    """The layers of each flow, by its name."""
    unowned: Mapping[Layer, Unowned]
    problem: str = "the store was not asked yet"
    """Why the store did not answer; "" if it did."""
    succeeded: float = 0.0
    """When the lake was last read, by our own clock."""
    seconds: float = 0.0

    @classmethod
    def none(cls, flows: Iterable[Flow]) -> LakeLook:
        """What is known before the first look."""
        datasets = {
            flow.name: {layer: LayerLook() for layer, written in flow.layers.items() if written}
            for flow in flows
        }
        return cls(datasets, {layer: Unowned() for layer in LAYERS})

    @property
    def up(self) -> bool:
        """Whether the store answered."""
        return not self.problem

    def unanswered(self, problem: str) -> LakeLook:
        """What is known while the store does not answer."""
        datasets = {
            name: _unread(layers, "the store did not answer")
            for name, layers in self.datasets.items()
        }
        return replace(self, datasets=datasets, problem=problem)


def look(lake: Lake, flows: Sequence[Flow], before: LakeLook) -> LakeLook:
    """Look at the lake; what cannot be read stays as it was before."""
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
    """The layers of a flow, each with whether it stays behind the one before it.

    A run is under way while a lease is new, or was renewed since the look before.
    """
    under_way = any(
        before[layer].leases.get(key) != etag
        for layer, seen in layers.items()
        for key, etag in seen.leases.items()
    )
    compared, snapshot = dict(layers), ""
    for layer, seen in layers.items():
        own = {
            manifest.summary.snapshot if manifest.summary else ""
            for manifest in seen.manifests.values()
        }
        behind = bool(snapshot) and not under_way and own != {snapshot}
        compared[layer] = replace(seen, behind=behind)
        snapshot = seen.summary.snapshot if seen.summary else ""
    return compared


def _look_at(
    lake: Lake,
    layer: Layer,
    flows: Sequence[Flow],
    before: Mapping[str, LayerLook],
    unowned: Unowned,
) -> tuple[Mapping[str, LayerLook], Unowned]:
    """Look at one layer's bucket: what each flow has in it, and what is no flow's.

    Raises:
        StoreUnreachable: the store does not answer.
    """
    try:
        data, logs, leases = (lake.store.listed(layer, p) for p in ("data/", LOGS, "leases/"))
    except StoreUnreachable:
        raise
    except BucketMissing as error:  # each layer's first run makes its own
        missing = {
            name: replace(seen, problem=str(error) if seen.last_success else "")
            for name, seen in before.items()
        }
        return missing, unowned
    except Exception as error:  # whatever a layer holds, the others are seen
        return _unread(before, _sentence(error)), unowned
    bucket = Bucket(layer, data, logs, leases, flows)
    named = {flow.name: flow for flow in flows}
    seen = {name: _look_at_flow(lake, bucket, named[name], last) for name, last in before.items()}
    return seen, bucket.unowned


class Bucket:
    """A layer's listings, split among flows.

    Args:
        layer: the bucket's.
        data: what stands under `data/`.
        logs: the error logs.
        leases: those of runs under way, or of runs that died.
        flows: whose objects and logs they may be.
    """

    def __init__(
        self,
        layer: Layer,
        data: Mapping[str, Listed],
        logs: Mapping[str, Listed],
        leases: Mapping[str, Listed],
        flows: Sequence[Flow],
    ) -> None:
        self.layer = layer
        self.data = data
        self.leases = leases
        self.objects: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.logs: dict[str, dict[str, Listed]] = {NOBODY: {}, **{f.name: {} for f in flows}}
        self._flows = flows
        for key, listed in data.items():
            owner = self._owner(key)
            self.objects[owner] += 1
            self.bytes[owner] += listed.bytes
        for key, listed in logs.items():
            self.logs[self._owner(key)][key] = listed

    @property
    def unowned(self) -> Unowned:
        """What is no flow's."""
        logs = self.logs[NOBODY]
        last = newest(logs)
        return Unowned(self.objects[NOBODY], len(logs), f"{self.layer}/{last}" if last else "")

    def _owner(self, key: str) -> str:
        return next((flow.name for flow in self._flows if flow.owns(self.layer, key)), NOBODY)


def _look_at_flow(lake: Lake, bucket: Bucket, flow: Flow, before: LayerLook) -> LayerLook:
    """What a flow has in a layer."""
    datasets = flow.layers[bucket.layer]
    logs = bucket.logs[flow.name]
    try:
        manifests = {
            dataset: _manifest(lake, dataset, before.manifests.get(dataset)) for dataset in datasets
        }
        error = read_newest(lake.store, bucket.layer, logs, before.error)
    except StoreUnreachable:
        raise
    except Exception as wrong:  # whatever a flow holds, the others are seen
        return replace(before, problem=_sentence(wrong))
    confirmed = (bucket.data.get(dataset.manifest) for dataset in datasets)
    problem = " ".join(manifest.problem for manifest in manifests.values() if manifest.problem)
    return LayerLook(
        problem=problem,
        objects=bucket.objects[flow.name],
        bytes=bucket.bytes[flow.name],
        last_success=min(listed.modified if listed else 0.0 for listed in confirmed),
        error_logs=len(logs),
        error=error,
        manifests=manifests,
        summary=before.summary if problem else manifests[datasets[0]].summary,
        leases={
            dataset.lease: bucket.leases[dataset.lease].etag
            for dataset in datasets
            if dataset.lease in bucket.leases
        },
    )


def _manifest(lake: Lake, dataset: Dataset, before: ManifestLook | None) -> ManifestLook:
    """A dataset's manifest; it is read only if it has changed."""
    head = lake.store.head(dataset.layer, dataset.manifest)
    if head is None:
        return ManifestLook()  # not published yet, which the time of its last success says
    if before and head.etag and before.etag == head.etag:
        return before
    if head.bytes > LARGEST_MANIFEST:
        name = f"{dataset.layer}/{dataset.manifest}"
        return ManifestLook(
            head.etag,
            problem=f"{name} has {head.bytes:,} bytes: the exporter reads {LARGEST_MANIFEST:,}.",
        )
    try:
        summary, _, etag = lake.read_manifest(dataset, Summary.from_bytes)
    except ManifestMissing:
        return ManifestLook()
    except (ManifestUnreadable, ManifestTooNew) as error:
        return ManifestLook(head.etag, problem=str(error))
    return ManifestLook(etag, summary)


def _unread(looks: Mapping[K, LayerLook], problem: str) -> dict[K, LayerLook]:
    """What was known of some layers that cannot be read now."""
    return {key: replace(seen, problem=problem) for key, seen in looks.items()}


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def connect() -> Lake:
    """The lake of the settings, for a caller that must not wait long."""
    settings = LakeSettings.load()
    seconds = min(settings.store_timeout, STORE_SECONDS)
    return Lake.connect(settings.model_copy(update={"store_timeout": seconds}), patient=False)
