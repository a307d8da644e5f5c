"""Bronze: the newest snapshot of the API, as received, and the earlier snapshots."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..host.workspace import workspace
from ..lake.datasets import Dataset
from ..lake.errors import LakeError, SnapshotMissing, StoreError
from ..lake.manifest import PART_BYTES, Check, Parts, Source, StoredObject, now, sha256
from ..lake.metadata import Origin
from ..lake.records import CONTENT_TYPE, record_texts
from ..lake.runs import RUN, began
from ..lake.versions import Lake, Version
from ..source.crawl import crawl
from ..writer import Step, Summary, View
from .errors import CheckFailed


def extract(step: Step) -> Summary:
    """Publish a new snapshot, or an earlier one that the runtime variable `snapshot` names.

    The current snapshot is copied to `history/` first, so no crash can lose it.

    Raises:
        FatalApiError: no snapshot that is proved complete could be fetched.
        SnapshotMissing: the history has no such snapshot.
    """
    writer, replay = step.writer, step.snapshot_to_replay
    with workspace() as folder:
        path = folder / "snapshot.json"
        local = (
            _earlier(step.lake, writer.dataset, replay, path) if replay else _fetched(step, path)
        )
        entry = StoredObject(
            key=_key(writer.dataset),
            rows=local.rows,
            bytes=path.stat().st_size,
            sha256=local.source.sha256,
        )
        _archive_current(step, entry, local.snapshot)
        origin = Origin(step.run, local.snapshot, local.source, local.rows)
        manifest, written = writer.publish_object(
            entry, path, CONTENT_TYPE, origin, local.checks, local.parts
        )
    removed = _expire_history(step)
    return writer.summary(manifest, objects_written=int(written), snapshots_removed=removed)


@dataclass(frozen=True)
class LocalSnapshot:
    """A snapshot in a local file: its number of records, its id and its source."""

    rows: int
    snapshot: str
    source: Source
    parts: Parts
    checks: tuple[Check, ...] = ()


def _fetched(step: Step, path: Path) -> LocalSnapshot:
    """Fetch all records into a file."""
    settings = step.settings.flow
    fetched = crawl(step.flow.api, step.flow.table, settings, path)
    digest, parts = _hashed(path)
    snapshot = _known_snapshot(step.lake, step.writer.dataset, digest) or step.run
    source = Source(key=settings.api_url, sha256=digest)
    return LocalSnapshot(fetched.records, snapshot, source, parts, fetched.checks)


def _earlier(lake: Lake, bronze: Dataset, snapshot: str, path: Path) -> LocalSnapshot:
    """Write an earlier snapshot into a file."""
    if not re.fullmatch(RUN, snapshot):
        raise SnapshotMissing(snapshot, lake.history(bronze))
    for key in (bronze.earlier(snapshot), _key(bronze)):
        stored = lake.stat("bronze", key)
        if stored and stored.snapshot == snapshot:
            with path.open("wb") as file:
                file.writelines(lake.chunks("bronze", stored.entry))
            digest, parts = _hashed(path)
            return LocalSnapshot(stored.rows, snapshot, Source(key=key, sha256=digest), parts)
    raise SnapshotMissing(snapshot, lake.history(bronze))


def verify(view: View) -> None:
    """Read bronze as a reader would, and count its records.

    Raises:
        CheckFailed, LakeError: bronze differs from its manifest.
    """

    def count(version: Version) -> tuple[int, int]:
        entry = version.manifest.only_object()
        return version.manifest.rows_out, sum(
            1 for _ in record_texts(view.lake.lines("bronze", entry))
        )

    expected, found = view.lake.follow(view.flow.bronze, count)
    if expected != found:
        raise CheckFailed("the number of records in bronze", expected, found)


def expired(
    snapshots: Sequence[str], versions: int, days: int, today: datetime, in_use: Collection[str]
) -> list[str]:
    """The snapshots that have expired.

    Args:
        snapshots: all snapshots in the history, oldest first; each is the id of a run.
        versions: how many of the newest to keep; 0 for no limit.
        days: how many days after its crawl to keep a snapshot; 0 for no limit.
        today: the current time.
        in_use: the sources of published versions; they never expire.
    """
    too_many = set(snapshots[:-versions] if versions else ())
    oldest = began(today - timedelta(days=days)) if days else ""
    return [s for s in snapshots if (s in too_many or s < oldest) and s not in in_use]


def _archive_current(step: Step, entry: StoredObject, snapshot: str) -> None:
    """Copy the current snapshot to `history/`, unless it is there already or is not replaced."""
    bronze = step.writer.dataset
    current = step.writer.stored[_key(bronze)]
    if current is None or (current.sha256, current.snapshot) == (entry.sha256, snapshot):
        return
    key = bronze.earlier(current.snapshot)
    if step.lake.stat("bronze", key) is None:
        step.writer.copy(_key(bronze), current, key)


def _expire_history(step: Step) -> int:
    """Remove the expired snapshots; returns how many."""
    settings, bronze = step.settings.flow, step.writer.dataset
    limits = settings.history_versions, settings.history_days, now()
    retained = step.lake.history(bronze)
    if not expired(retained, *limits, in_use=()):
        return 0
    try:
        published = [step.lake.published(dataset) for dataset in step.flow.datasets]
    except (LakeError, StoreError):
        return 0  # the snapshots in use are unknown, so none may be removed
    gone = expired(retained, *limits, {manifest.snapshot for manifest in published if manifest})
    step.writer.remove([bronze.earlier(snapshot) for snapshot in gone])
    return len(gone)


def _known_snapshot(lake: Lake, bronze: Dataset, digest: str) -> str | None:
    """The id of the current snapshot, or of the newest in `history/`, if its bytes are equal."""
    newest = [bronze.earlier(snapshot) for snapshot in lake.history(bronze)[-1:]]
    for key in (_key(bronze), *newest):
        stored = lake.stat("bronze", key)
        if stored and stored.sha256 == digest:
            return stored.snapshot
    return None


def _key(bronze: Dataset) -> str:
    return str(bronze.object)


def _hashed(path: Path) -> tuple[str, Parts]:
    """The sha256 of a file, and of each of its parts."""
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            whole.update(part)
            parts.append(sha256(part))
    return whole.hexdigest(), Parts(size=PART_BYTES, sha256=tuple(parts))
