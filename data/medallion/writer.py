"""Writes one version of a dataset: its objects, then the log entry that publishes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from typing_extensions import Self

from .context import FlowContext, Summary
from .errors import DatasetTaken
from .lake import maintenance
from .lake.datasets import Dataset
from .lake.errors import LakeError, ManifestTooNew, ObjectMissing, StoreError, VersionTaken
from .lake.lake import Lake
from .lake.lease import Lease
from .lake.manifest import Copy, Manifest, Source, StoredObject, code_version
from .lake.records import CONTENT_TYPE
from .lake.runs import new_run, now
from .lake.store import ObjectInfo

logger = logging.getLogger(__name__)

DIGITS = len("0000000001.json")  # of the key of a log entry
LIBRARIES = {"pyarrow": pa.__version__}
"""The libraries on which the bytes of silver and gold depend, and their versions."""


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


@dataclass
class Writer:
    """Writes one version of a dataset in one run. Use `of` to make one.

    The objects of the version are stored first, under names that no other writer uses. Then its log
    entry is created: that is the publish. The rest only tidies up.
    """

    context: FlowContext
    dataset: Dataset
    run: str
    # The end of the names of its objects: the run, or a new id if the run may have used its own
    # here before. A removal of what it wrote then may still be under way.
    writer_id: str
    lease: Lease
    stored: Mapping[str, ObjectInfo]  # the dataset's objects, listed before the first write
    previous: Manifest | None  # None if there is none, or it cannot be read
    number: int  # of the version to publish
    started: float = field(default_factory=time.monotonic)
    published: Manifest | None = None
    may_be_published: bool = False  # the request to publish was sent, and its result is unknown
    objects_written: int = 0

    @classmethod
    def of(
        cls, context: FlowContext, dataset: Dataset, run: str, lease: Lease, made_from: str | None
    ) -> Self:
        """The writer of a dataset; puts the newest entry of its log back if only its copy is whole.

        `made_from` is the log entry that the run has published in the previous layer; None if the
        run begins here, and "" if it is unknown, or if the block runs again.

        Raises:
            DatasetTaken: another flow wrote the dataset.
            ManifestTooNew: a later release did.
        """
        lake, flow = context.lake, context.flow
        log, listed = lake.log(dataset), lake.store.listed
        stored = listed(dataset.layer, dataset.prefix) | listed(dataset.layer, dataset.objects)
        previous, last = None, max(log.numbers(stored), default=0)
        try:
            previous, content = log.newest_content(stored)
            last = max(last, previous.version)
            if log.problem(previous.version):
                key = dataset.entry(previous.version)
                lake.store.put(dataset.layer, key, content, CONTENT_TYPE)
        except ManifestTooNew:
            raise
        except LakeError:
            pass  # it is missing or damaged, and this run writes everything anew
        if previous and previous.flow != flow.name:
            raise DatasetTaken(flow.name, dataset.path, previous.flow)
        # Who publishes here lists the leftovers of others before it reads the previous layer. So if
        # the previous version was made from an older one than ours, no run can have seen ours.
        before = previous.source.key if previous else ""
        is_older = before < (made_from or "") and before[:-DIGITS] == (made_from or "")[:-DIGITS]
        is_new = made_from is None or (is_older if previous else made_from and not last)
        writer_id = run if is_new and not any(run in key for key in stored) else new_run()
        return cls(context, dataset, run, writer_id, lease, stored, previous, last + 1)

    @property
    def lake(self) -> Lake:
        """The lake of the context."""
        return self.context.lake

    def store(
        self, entry: StoredObject, content: bytes | Path, kind: str, before: StoredObject | None
    ) -> StoredObject:
        """Store an object of the version, unless the previous version has it and it is whole.

        No other writer uses the name of the entry; `before` was in its place.
        """
        if before and before.sha256 == entry.sha256 and self.is_whole(before):
            return before
        self.lake.store.put(self.dataset.layer, entry.key, content, kind)
        self.objects_written += 1
        return entry

    def store_copied(
        self, fixed: str, content: bytes | Path, rows: int, kind: str, digest: str = ""
    ) -> Copy:
        """As `store`, for an object that is copied to a fixed name; `digest` is a file's sha256."""
        before = self.previous.copy_at(fixed) if self.previous else None
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        if isinstance(content, bytes):
            digest = sha256(content).hexdigest()
        key = self.dataset.named(fixed, digest, self.writer_id)
        entry = StoredObject(key=key, rows=rows, bytes=size, sha256=digest)
        stored = self.store(entry, content, kind, before.object if before else None)
        return Copy(key=fixed, object=stored)

    def carry(self, fixed: str) -> Copy | None:
        """The previous version's copy of records, if one of its two objects is whole."""
        before = self.previous.copy_at(fixed) if self.previous else None
        if before is None or self.is_whole(before.object):
            return before
        with suppress(LakeError, StoreError):
            content = self.lake.read(self.dataset.layer, before.as_stored)
            return self.store_copied(fixed, content, before.object.rows, CONTENT_TYPE)
        return None

    def is_whole(self, entry: StoredObject) -> bool:
        """Whether an object of the layer is as it was written. It is read."""
        return self.lake.problem(self.dataset.layer, entry) is None

    def manifest(self, provenance: Provenance, **content: Any) -> Manifest:
        """The version of this step, ready to be published; `content` has the fields it knows."""
        moment = now()
        return Manifest(
            flow=self.context.flow.name,
            layer=self.dataset.layer,
            dataset=self.dataset.name,
            version=self.number,
            oldest=self.number,
            run=self.run,
            created_at=moment,
            published_at=moment,
            seconds=round(time.monotonic() - self.started, 3),
            code_version=code_version(self.context.flow.package),
            libraries=LIBRARIES,
            **vars(provenance),
            **content,
        )

    def publish(self, manifest: Manifest, is_over: Callable[[Manifest], bool]) -> Manifest:
        """Publish a version by its log entry, and tidy up; returns the version as it stands.

        `is_over` says whether an old entry of the log has expired.

        Raises:
            VersionTaken: another run published meanwhile; this run published nothing.
        """
        before = [self.previous.published_at] if self.previous else []
        log = self.lake.log(self.dataset)
        oldest = maintenance.oldest_entry(log, self.stored, self.previous, self.number, is_over)
        own = {"published_at": max([datetime.now(timezone.utc), *before]), "oldest": oldest}
        self.may_be_published = True
        content = log.append(manifest.model_copy(update=own))
        self.may_be_published = False
        if content is None:
            raise VersionTaken(self.dataset.path, self.number)
        self.published = Manifest.model_validate_json(content)
        self.lake.store.put(self.dataset.layer, self.dataset.manifest, content, CONTENT_TYPE)
        for copy in self.published.copies:
            was = self.previous.copy_at(copy.key) if self.previous else None
            if was != copy or not self.is_whole(copy.as_stored):
                with suppress(ObjectMissing):  # another run has published meanwhile
                    self.lake.store.copy(self.dataset.layer, copy.object.key, copy.key)
        maintenance.remove_unneeded(log, self.stored, self.published)
        maintenance.reread_some(log, self.stored, self.published)
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

    def end(self) -> None:
        """Tell what was published, and the noted drifts; if nothing, remove what was stored."""
        if (manifest := self.published) is None:
            with suppress(StoreError):  # the next run removes it
                self.withdraw()
            return
        known = set(self.previous.objects) if self.previous else set()
        new = len(set(manifest.objects) - known)
        logger.info(
            f"  {self.dataset.block:<24}{manifest.rows_out:>13,} rows"
            f"{len(manifest.objects):>8,} objects{new:>8,} new{manifest.seconds:>8.1f} s"
            + "".join(f"\n    {drift.what}" for drift in manifest.drift)
        )

    def summary(self, manifest: Manifest, **more: Any) -> Summary:
        """The block's return value; `run` and `snapshot` connect the blocks of a run."""
        counts = ("rows_in", "rows_out", "rows_rejected", "rows_duplicate")
        summary = {
            "run": self.run,
            "snapshot": manifest.snapshot,
            "manifest": f"{self.dataset.layer}/{self.dataset.manifest}",
            "entry": self.dataset.entry(manifest.version),
            **{name: getattr(manifest, name) for name in counts},
            "objects_written": self.objects_written,
            **more,
            "seconds": manifest.seconds,
        }
        return cast(Summary, summary)


def made_from_expired(source: Dataset, newest: Manifest) -> Callable[[Manifest], bool]:
    """Whether the version that a version was made from is no longer in the log of its dataset.

    `newest` is the newest version of that dataset.
    """
    return lambda version: source.number(version.source.key) < newest.oldest
