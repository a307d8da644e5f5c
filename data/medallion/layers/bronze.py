"""Bronze: the API's answer as received, and the answers before it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..errors import CheckFailed, LakeError, ManifestMissing, SnapshotMissing, StoreError
from ..host.workspace import workspace
from ..lake.datasets import BRONZE, BRONZE_OBJECT, DATASETS, HISTORY
from ..lake.manifest import PART_BYTES, Check, Parts, Source, StoredObject, now, sha256
from ..lake.records import CONTENT_TYPE, record_texts
from ..lake.runs import RUN, began
from ..lake.versions import Lake, Version
from ..source.crawl import crawl
from ..steps import Step, Summary, View


def extract(step: Step) -> Summary:
    """Publish the API's answer; with the runtime variable `snapshot`, that kept answer again.

    The answer that was current goes to `history/` first, so no crash can lose it.

    Raises:
        FatalApiError: nothing that is proved complete could be fetched.
        SnapshotMissing: no such answer is kept.
    """
    with workspace() as folder:
        path = folder / "answer.json"
        replay = step.snapshot_to_replay
        answer = _kept(step.lake, replay, path) if replay else _fetched(step, path)
        entry = StoredObject(
            key=BRONZE_OBJECT,
            rows=answer.rows,
            bytes=path.stat().st_size,
            sha256=answer.source.sha256,
        )
        _archive_current(step, entry, answer.snapshot)
        manifest, written = step.publish_object(
            entry,
            path,
            CONTENT_TYPE,
            snapshot=answer.snapshot,
            source=answer.source,
            rows_in=answer.rows,
            checks=answer.checks,
            parts=answer.parts,
        )
    removed = _thin_history(step)
    return step.summary(manifest, objects_written=int(written), snapshots_removed=removed)


@dataclass(frozen=True)
class Answer:
    """An answer of the API in a local file: its records, its snapshot, and where it is from."""

    rows: int
    snapshot: str
    source: Source
    parts: Parts
    checks: tuple[Check, ...] = ()


def _fetched(step: Step, path: Path) -> Answer:
    """Fetch every brewery into a file."""
    fetched = crawl(step.settings, path)
    digest, parts = _hashed(path)
    snapshot = _known_snapshot(step.lake, digest) or step.run
    source = Source(key=step.settings.api_url, sha256=digest)
    return Answer(fetched.records, snapshot, source, parts, fetched.checks)


def _kept(lake: Lake, snapshot: str, path: Path) -> Answer:
    """Bring a kept answer into a file; `snapshot` is the run that fetched it."""
    if not re.fullmatch(RUN, snapshot):
        raise SnapshotMissing(snapshot, _snapshots(lake))
    for key in (f"{HISTORY}{snapshot}.json", BRONZE_OBJECT):
        kept = lake.stat("bronze", key)
        if kept and kept.snapshot == snapshot:
            with path.open("wb") as file:
                file.writelines(lake.chunks("bronze", kept.entry))
            digest, parts = _hashed(path)
            return Answer(kept.rows, snapshot, Source(key=key, sha256=digest), parts)
    raise SnapshotMissing(snapshot, _snapshots(lake))


def verify(view: View) -> None:
    """Read bronze as a reader would, and count.

    Raises:
        CheckFailed, LakeError: it is not what the manifest says.
    """

    def count(version: Version) -> tuple[int, int]:
        entry = version.manifest.only_object()
        return version.manifest.rows_out, sum(
            1 for _ in record_texts(view.lake.lines("bronze", entry))
        )

    told, found = view.lake.follow(BRONZE, count)
    if told != found:
        raise CheckFailed("the number of records in bronze", told, found)


def _archive_current(step: Step, entry: StoredObject, snapshot: str) -> None:
    """Keep the current answer under `history/`, unless it is there or is not being replaced."""
    current = step.there[BRONZE_OBJECT]
    if current is None or (current.sha256, current.snapshot) == (entry.sha256, snapshot):
        return
    key = f"{HISTORY}{current.snapshot}.json"
    if step.lake.stat("bronze", key) is None:
        step.copy(BRONZE_OBJECT, current, key)


def thinned(
    snapshots: Sequence[str], versions: int, days: int, today: datetime, in_use: Collection[str]
) -> list[str]:
    """Which snapshots are kept no longer.

    Args:
        snapshots: those that are kept, oldest first; each is a run's id.
        versions: how many of the newest to keep, 0 for any number.
        days: for how many days after it was fetched to keep one, 0 for ever.
        today: the time now.
        in_use: those that a published version derives from; they are kept.
    """
    too_many = set(snapshots[:-versions] if versions else ())
    oldest = began(today - timedelta(days=days)) if days else ""
    return [s for s in snapshots if (s in too_many or s < oldest) and s not in in_use]


def _thin_history(step: Step) -> int:
    """Remove the snapshots that the settings keep no longer; returns how many."""
    settings = step.settings
    limits = settings.history_versions, settings.history_days, now()
    kept = _snapshots(step.lake)
    if not thinned(kept, *limits, in_use=()):
        return 0
    in_use = set()
    for dataset in DATASETS:
        try:
            in_use.add(step.lake.version(dataset).manifest.snapshot)
        except ManifestMissing:
            continue
        except (LakeError, StoreError):
            return 0  # what is in use is not known, so nothing may go
    gone = thinned(kept, *limits, in_use)
    step.remove([f"{HISTORY}{snapshot}.json" for snapshot in gone])
    return len(gone)


def _known_snapshot(lake: Lake, sha256: str) -> str | None:
    """The snapshot whose answer this is again: the current one, or the newest in `history/`."""
    newest = [f"{HISTORY}{snapshot}.json" for snapshot in _snapshots(lake)[-1:]]
    for key in (BRONZE_OBJECT, *newest):
        there = lake.stat("bronze", key)
        if there and there.sha256 == sha256:
            return there.snapshot
    return None


def _snapshots(lake: Lake) -> list[str]:
    keys = lake.sizes("bronze", HISTORY)
    return [key.removeprefix(HISTORY).removesuffix(".json") for key in keys]


def _hashed(path: Path) -> tuple[str, Parts]:
    """A file's sha256, and those of its parts."""
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            whole.update(part)
            parts.append(sha256(part))
    return whole.hexdigest(), Parts(size=PART_BYTES, sha256=tuple(parts))
