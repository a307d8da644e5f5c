"""The step of a block: the lake to read, and a writer for each dataset that the block writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)
from typing_extensions import ParamSpec, Self

from .errors import DatasetTaken
from .flow import Flow
from .host.console import tell
from .lake.datasets import Dataset
from .lake.errors import LeaseLost, ManifestMissing, ManifestUnreadable, StoreUnreachable
from .lake.lease import Lease
from .lake.manifest import (
    Changes,
    Check,
    Drift,
    Manifest,
    Parts,
    Profile,
    StoredObject,
    code_version,
    now,
)
from .lake.metadata import Origin, Stat
from .lake.tries import TRIES
from .lake.versions import Lake
from .settings import Settings
from .work.engine import Engine

REMOVED_AT_ONCE = 1000  # keys per request, at most; the lease is renewed before each request

P = ParamSpec("P")
T = TypeVar("T")

Summary = dict[str, Any]
"""A block's return value, and the next block's input: a few names and counts."""


@dataclass(frozen=True)
class View:
    """What a check needs: the lake, the engine and the flow."""

    lake: Lake
    engine: Engine
    flow: Flow


@dataclass(frozen=True)
class Step(View):
    """A block in a run that holds the leases of its datasets."""

    run: str
    settings: Settings
    writers: tuple[Writer, ...]
    """One writer per dataset of the block."""
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def writer(self) -> Writer:
        """The writer of the block's first dataset."""
        return self.writers[0]

    @property
    def snapshot_to_replay(self) -> str:
        """The runtime variable `snapshot`: the id of the snapshot to publish again, or ""."""
        return str(self.variables.get("snapshot") or "")


@dataclass(frozen=True)
class Writer:
    """Writes one dataset in one run, under its lease. Use `of` to make one."""

    flow: Flow
    lake: Lake
    settings: Settings
    dataset: Dataset
    run: str
    lease: Lease
    previous: Manifest | None
    """The manifest of the previous version; None if there is none, or it cannot be read."""
    previous_etag: str | None
    stored: Mapping[str, Stat | None]
    """Key to object, for the single objects that the block writes; read under the lease."""
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls, flow: Flow, lake: Lake, settings: Settings, dataset: Dataset, run: str, lease: Lease
    ) -> Self:
        """The writer of a dataset whose lease the run holds.

        Raises:
            DatasetTaken: another flow wrote the dataset.
        """
        singles = (*((dataset.object,) if dataset.object else ()), *dataset.beside)
        stored = {key: lake.stat(dataset.layer, key) for key in singles}
        previous, etag = _previous(lake, dataset)
        if previous and previous.flow not in {None, flow.name}:
            raise DatasetTaken(flow.name, dataset.path, str(previous.flow))
        return cls(flow, lake, settings, dataset, run, lease, previous, etag, stored)

    def publish_object(
        self,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        origin: Origin,
        checks: tuple[Check, ...],
        parts: Parts | None = None,
    ) -> tuple[Manifest, bool]:
        """Publish a dataset of one object; returns the manifest, and whether it wrote the object.

        Raises:
            LeaseLost: another run wrote the object while this run held the lease.
        """
        written = self.store(entry, content, content_type, origin)
        manifest = self.publish(
            origin, objects=(entry,), parts=parts, checks=checks, rows_out=entry.rows
        )
        return manifest, written

    def store(
        self, entry: StoredObject, content: bytes | Path, content_type: str, origin: Origin
    ) -> bool:
        """Store one of the block's single objects; returns whether it was written.

        Raises:
            LeaseLost: another run wrote the object while this run held the lease.
        """
        layer, before = self.dataset.layer, self.stored[entry.key]
        full = replace(origin, made_by=made_by(self.flow.package))
        return self._leased(self.lake.publish, layer, entry, content, content_type, full, before)

    def copy(self, key: str, version: Stat, to: str) -> None:
        """Copy a version of an object to another key of the layer."""
        self._leased(self.lake.copy, self.dataset.layer, key, version, to)

    def remove(self, keys: Sequence[str]) -> None:
        """Remove objects of the layer."""
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            block = keys[start : start + REMOVED_AT_ONCE]
            self._leased(self.lake.store.remove, self.dataset.layer, block)

    def _leased(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write under the lease: every attempt renews it first."""

        def once() -> T:
            self.lease.renew()
            return write(*args, **kwargs)

        tries = Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            stop=stop_after_attempt(TRIES) | stop_after_delay(self.settings.lake.store_timeout),
            wait=wait_exponential(0.2),
            reraise=True,
        )
        return tries(once)

    def publish(
        self,
        origin: Origin,
        *,
        objects: tuple[StoredObject, ...],
        checks: tuple[Check, ...],
        rows_out: int,
        rows_rejected: int = 0,
        rows_duplicate: int = 0,
        parts: Parts | None = None,
        profile: Profile | None = None,
        drift: tuple[Drift, ...] = (),
        changes: Changes | None = None,
    ) -> Manifest:
        """Publish the version of this step by its manifest. Readers see it from now on.

        Raises:
            LeaseLost: another run published meanwhile; this run published nothing.
        """
        manifest = Manifest(
            flow=self.flow.name,
            layer=self.dataset.layer,
            dataset=self.dataset.name,
            run=self.run,
            snapshot=origin.snapshot,
            created_at=now(),
            source=origin.source,
            objects=objects,
            parts=parts,
            rows_in=origin.rows_in,
            rows_out=rows_out,
            rows_rejected=rows_rejected,
            rows_duplicate=rows_duplicate,
            checks=checks,
            seconds=round(time.monotonic() - self.started, 3),
            code_version=code_version(self.flow.package),
            profile=profile,
            drift=drift,
            changes=changes,
        )
        self.lease.renew()
        if not self.lake.publish_manifest(self.dataset, manifest, self.previous_etag):
            raise LeaseLost(self.dataset.path)
        tell(self._published(manifest))
        return manifest

    def _published(self, manifest: Manifest) -> str:
        """The line that the block prints: its name and its counts."""
        known = set(self.previous.objects) if self.previous else set()
        new = len(set(manifest.objects) - known)
        return (
            f"  {self.dataset.block:<24}{manifest.rows_out:>13,} rows"
            f"{len(manifest.objects):>8,} objects{new:>8,} new{manifest.seconds:>8.1f} s"
        )

    def summary(self, manifest: Manifest, **more: Any) -> Summary:
        """The block's return value; `run` and `snapshot` connect the blocks of a run."""
        return {
            "run": self.run,
            "snapshot": manifest.snapshot,
            "manifest": f"{self.dataset.layer}/{self.dataset.manifest}",
            "rows_in": manifest.rows_in,
            "rows_out": manifest.rows_out,
            "rows_rejected": manifest.rows_rejected,
            "rows_duplicate": manifest.rows_duplicate,
            **more,
            "seconds": manifest.seconds,
        }


def made_by(package: str) -> str:
    """The versions of this package, the flow and pyarrow. The bytes of equal data depend on them.

    Args:
        package: the flow's package.
    """
    return f"{code_version(package)}, pyarrow {pa.__version__}"


def _previous(lake: Lake, dataset: Dataset) -> tuple[Manifest | None, str | None]:
    """The manifest to replace and its ETag; the manifest is None if it is missing or unreadable."""
    try:
        version = lake.version(dataset)
    except (ManifestMissing, ManifestUnreadable):
        stored = lake.store.get(dataset.layer, dataset.manifest)
        return None, stored[1] if stored else None
    return version.manifest, version.etag
