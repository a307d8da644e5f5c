"""The step of a block: the lake to read, and a writer for each dataset that the block writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import Self

from .errors import DatasetTaken
from .flow import Flow
from .host.console import tell
from .lake.datasets import Dataset
from .lake.errors import LakeError, ManifestTooNew, StoreError, VersionTaken
from .lake.lease import Lease
from .lake.manifest import (
    Changes,
    Check,
    Copy,
    Drift,
    Manifest,
    Parts,
    Profile,
    Snapshot,
    Source,
    StoredObject,
    code_version,
    now,
    sha256,
)
from .lake.records import CONTENT_TYPE
from .lake.runs import new_run
from .lake.store import Listed
from .lake.versions import Lake
from .settings import Settings
from .work.engine import Engine

LONGEST_LOG = 400
"""Entries. One listing shows them, and they are kept for more than a year of daily runs."""
LOOKED_AT, LOOKED_AT_BYTES = 16, 16 << 20  # older entries that a run reads again, in turns

Summary = dict[str, Any]
"""A block's return value, and the next block's input: a few names and counts."""


@dataclass(frozen=True)
class Provenance:
    """What a version was made from."""

    snapshot: str
    source: Source
    rows_in: int
    replay: bool = False

    @classmethod
    def of(cls, dataset: Dataset, version: Manifest) -> Self:
        """The provenance of what is made from a version of another dataset."""
        source = Source(key=dataset.entry(version.version), sha256=version.sha256)
        return cls(version.snapshot, source, version.rows_out, version.replay)


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


@dataclass
class Writer:
    """Writes one version of a dataset in one run. Use `of` to make one.

    The objects of the version are stored first, under names that no other writer uses. Then its log
    entry is created: that is the publish. The rest only tidies up.
    """

    flow: Flow
    lake: Lake
    settings: Settings
    dataset: Dataset
    run: str
    writer_id: str
    """The end of the names of its objects: the run, or a new id in a run that was here before."""
    lease: Lease
    stored: Mapping[str, Listed]
    """The dataset's objects, listed before the first write."""
    previous: Manifest | None
    """The previous version; None if there is none, or it cannot be read."""
    number: int
    """The number of the version to publish."""
    started: float = field(default_factory=time.monotonic)
    published: Manifest | None = None
    may_be_published: bool = False
    """Whether the request to publish was sent, and its result is unknown."""
    objects_written: int = 0

    @classmethod
    def of(
        cls, flow: Flow, lake: Lake, settings: Settings, dataset: Dataset, run: str, lease: Lease
    ) -> Self:
        """The writer of a dataset; puts the newest entry of its log back if only its copy is whole.

        Raises:
            DatasetTaken: another flow wrote the dataset.
            ManifestTooNew: a later release did.
        """
        log, layer = lake.log(dataset), dataset.layer
        stored = {
            **lake.store.listed(layer, dataset.prefix),
            **lake.store.listed(layer, dataset.objects),
        }
        previous, last = None, max(log.numbers(stored), default=0)
        try:
            previous, content = log.newest_content()
            last = max(last, previous.version)
            if log.problem(previous.version):
                log.restore(content, previous.version)
        except ManifestTooNew:
            raise
        except LakeError:
            pass  # it is missing or damaged, and this run writes everything anew
        if previous and previous.flow != flow.name:
            raise DatasetTaken(flow.name, dataset.path, previous.flow)
        again = any(run in key for key in stored) or (previous and previous.run == run)
        writer_id = new_run() if again else run
        return cls(
            flow, lake, settings, dataset, run, writer_id, lease, stored, previous, last + 1
        )  # fmt: skip

    def store(
        self, entry: StoredObject, content: bytes | Path, kind: str, before: StoredObject | None
    ) -> StoredObject:
        """Store an object of the version, unless the previous version has it and it is whole.

        Args:
            entry: the object; no other writer uses its name.
            content: its content, or a file of it.
            kind: its media type.
            before: the object in its place in the previous version.
        """
        if before and before.sha256 == entry.sha256 and self.is_whole(before):
            return before
        self.lake.store.put(self.dataset.layer, entry.key, content, kind)
        self.objects_written += 1
        return entry

    def store_copied(
        self, fixed: str, content: bytes | Path, rows: int, kind: str, digest: str = ""
    ) -> Copy:
        """As `store`, for an object that is copied to a fixed name after the publish.

        Args:
            fixed: the fixed name.
            content: its content, or a file of it.
            rows: its rows.
            kind: its media type.
            digest: the sha256 of a file.
        """
        before = self.previous.copy_at(fixed) if self.previous else None
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        digest = digest or sha256(content if isinstance(content, bytes) else content.read_bytes())
        key = self.dataset.named(fixed, digest, self.writer_id)
        entry = StoredObject(key=key, rows=rows, bytes=size, sha256=digest)
        stored = self.store(entry, content, kind, before.object if before else None)
        return Copy(key=fixed, object=stored)

    def carry(self, fixed: str, kind: str) -> Copy | None:
        """The copy of the previous version at a fixed name, if one of its two objects is whole."""
        before = self.previous.copy_at(fixed) if self.previous else None
        if before is None or self.is_whole(before.object):
            return before
        with suppress(LakeError, StoreError):
            content = self.lake.read(self.dataset.layer, before.as_stored)
            return self.store_copied(fixed, content, before.object.rows, kind)
        return None

    def is_whole(self, entry: StoredObject) -> bool:
        """Whether an object of the layer is as it was written. It is read."""
        return self.lake.problem(self.dataset.layer, entry) is None

    def manifest(
        self,
        provenance: Provenance,
        *,
        objects: tuple[StoredObject, ...],
        copies: tuple[Copy, ...] = (),
        retained: tuple[Snapshot, ...] = (),
        checks: tuple[Check, ...],
        rows_out: int,
        rows_rejected: int = 0,
        rows_duplicate: int = 0,
        parts: Parts | None = None,
        profile: Profile | None = None,
        drift: tuple[Drift, ...] = (),
        changes: Changes | None = None,
    ) -> Manifest:
        """The version of this step, as it can be published."""
        moment = now()
        return Manifest(
            flow=self.flow.name,
            layer=self.dataset.layer,
            dataset=self.dataset.name,
            version=self.number,
            oldest=self.number,
            run=self.run,
            snapshot=provenance.snapshot,
            replay=provenance.replay,
            created_at=moment,
            published_at=moment,
            source=provenance.source,
            objects=objects,
            copies=copies,
            retained=retained,
            parts=parts,
            rows_in=provenance.rows_in,
            rows_out=rows_out,
            rows_rejected=rows_rejected,
            rows_duplicate=rows_duplicate,
            checks=checks,
            seconds=round(time.monotonic() - self.started, 3),
            code_version=code_version(self.flow.package),
            libraries=libraries(),
            profile=profile,
            drift=drift,
            changes=changes,
        )

    def publish(self, manifest: Manifest, is_over: Callable[[Manifest], bool]) -> Manifest:
        """Publish a version by its log entry, and tidy up; returns the version as it stands.

        Args:
            manifest: the version.
            is_over: whether an old entry of the log has expired.

        Raises:
            VersionTaken: another run published meanwhile; this run published nothing.
        """
        before = [self.previous.published_at] if self.previous else []
        oldest = self._oldest(is_over)
        own = {"published_at": max([datetime.now(timezone.utc), *before]), "oldest": oldest}
        self.may_be_published = True
        content = self.lake.log(self.dataset).append(manifest.model_copy(update=own))
        self.may_be_published = False
        if content is None:
            raise VersionTaken(self.dataset.path, self.number)
        self.published = Manifest.model_validate_json(content)
        self.lake.store.put(self.dataset.layer, self.dataset.manifest, content, CONTENT_TYPE)
        self._copy_to_fixed_names(self.published)
        self._remove_unnamed(self.published)
        self._look_at_log(self.published)
        return self.published

    def withdraw(self) -> None:
        """Remove what this writer stored, unless it has published, or may have."""
        if self.published or self.may_be_published:
            return
        layer, named = self.dataset.layer, self.previous.named if self.previous else {}
        for prefix in (self.dataset.prefix, self.dataset.objects):
            keys = self.lake.store.listed(layer, prefix)
            mine = [key for key in keys if self.writer_id in key and key not in named]
            self.lake.store.remove(layer, mine)

    def _copy_to_fixed_names(self, manifest: Manifest) -> None:
        """Make the copies that are not there, or not as the version says."""
        layer = self.dataset.layer
        for copy in manifest.copies:
            before = self.previous.copy_at(copy.key) if self.previous else None
            if before != copy or not self.is_whole(copy.as_stored):
                self.lake.store.copy(layer, copy.object.key, copy.key)

    def _remove_unnamed(self, version: Manifest) -> None:
        """Remove what no version needs: earlier objects, old entries, leftovers of dead runs."""
        dataset = self.dataset
        named = {*version.named, *(snapshot.object.key for snapshot in version.retained)}
        named |= {dataset.manifest, str(dataset.object), *dataset.beside}
        own = tuple(filter(None, (dataset.folder, dataset.objects)))
        gone = [
            key
            for key in self.stored
            if key.startswith(own) and key not in named and not key.startswith(dataset.log)
        ]
        numbers = self.lake.log(dataset).numbers(self.stored)
        gone += [dataset.entry(number) for number in numbers if number < version.oldest]
        self.lake.store.remove(dataset.layer, sorted(gone))

    def _oldest(self, is_over: Callable[[Manifest], bool]) -> int:
        """The oldest version whose entry has not expired."""
        log = self.lake.log(self.dataset)
        there = log.numbers(self.stored)
        first = self.previous.oldest if self.previous else min(there, default=self.number)
        first = max(first, self.number + 1 - LONGEST_LOG)
        for number in (number for number in there if number >= first):
            entry = None
            with suppress(LakeError, StoreError):
                entry = log.entry(number)
            if entry is None or not is_over(entry):
                return first
            first = number + 1
        return first

    def _look_at_log(self, version: Manifest) -> None:
        """Read some of the older entries again, and tell of those that are lost."""
        older = range(version.oldest, version.version)
        turn = version.version * LOOKED_AT % max(len(older), 1)
        size = 0
        for number in [*older[turn:], *older[:turn]][:LOOKED_AT]:
            listed = self.stored.get(self.dataset.entry(number))
            if size > LOOKED_AT_BYTES:
                break
            size += listed.bytes if listed else 0
            self._look_at(number, listed is not None)

    def _look_at(self, number: int, is_listed: bool) -> None:
        log = self.lake.log(self.dataset)
        name = f"{self.dataset.layer}/{self.dataset.entry(number)}"
        if is_listed:
            if isinstance(problem := log.problem(number), LakeError):
                tell(
                    f"{problem} What version {number} of {self.dataset.path} was is lost: remove "
                    f"{name}, and the next run notes it as lost."
                )
        else:
            log.give_up(number)
            tell(f"{name} is missing: what version {number} of {self.dataset.path} was is lost.")

    @property
    def line(self) -> str:
        """The line that the block prints: its name and its counts."""
        if (manifest := self.published) is None:
            return ""
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
            "version": manifest.version,
            "rows_in": manifest.rows_in,
            "rows_out": manifest.rows_out,
            "rows_rejected": manifest.rows_rejected,
            "rows_duplicate": manifest.rows_duplicate,
            **more,
            "seconds": manifest.seconds,
        }


def made_from_expired(lake: Lake, source: Dataset) -> Callable[[Manifest], bool]:
    """Whether the version that a version was made from is no longer in the log of its dataset."""
    first = min(lake.log(source).numbers(), default=0)
    return lambda version: source.number(version.source.key) < first


def libraries() -> dict[str, str]:
    """The libraries on which the bytes of silver and gold depend, and their versions."""
    return {"pyarrow": pa.__version__}
