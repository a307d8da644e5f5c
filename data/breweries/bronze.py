"""Bronze: the API's answer as received, and the answers before it."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from . import api
from .datasets import BRONZE, BRONZE_OBJECT, HISTORY
from .errors import CheckFailed, SnapshotMissing
from .lake import Lake, Stat
from .manifest import Source, StoredObject
from .records import CONTENT_TYPE, record_texts
from .steps import Step, Summary


def extract(step: Step) -> Summary:
    """Publish the API's answer; with the runtime variable `snapshot`, that kept answer again.

    Raises:
        FatalApiError: nothing that is proved complete could be fetched.
        SnapshotMissing: no such answer is kept.
    """
    snapshot = step.variables.get("snapshot")
    return _replay(step, str(snapshot)) if snapshot else _fetch(step)


def _fetch(step: Step) -> Summary:
    """Fetch every brewery and publish the answer, if it is not the newest one already.

    The answer that was current goes to `history/` first, so no crash can lose it.
    """
    with tempfile.TemporaryDirectory(prefix="breweries-") as folder:
        path = Path(folder) / "answer.json"
        crawl = api.crawl(step.settings, path)
        answer = StoredObject(
            key=BRONZE_OBJECT,
            rows=crawl.tally.records,
            bytes=path.stat().st_size,
            sha256=_sha256(path),
        )
        source = Source(key=step.settings.api_url, sha256=answer.sha256)
        snapshot = _known_snapshot(step.lake, answer.sha256) or step.run
        _archive_current(step, answer.sha256)
        origin = step.origin(snapshot, source)
        written = step.lake.publish("bronze", answer, path, CONTENT_TYPE, origin)
    manifest = step.publish(
        snapshot=snapshot,
        source=source,
        objects=(answer,),
        checks=crawl.checks,
        rows_in=answer.rows,
        rows_out=answer.rows,
    )
    return step.summary(manifest, objects_written=int(written))


def _replay(step: Step, snapshot: str) -> Summary:
    """Publish a kept answer again; `snapshot` is the run that fetched it."""
    current = step.lake.stat("bronze", BRONZE_OBJECT)
    if current and current.snapshot == snapshot:
        source, found, written = Source(key=BRONZE_OBJECT, sha256=current.sha256), current, False
    else:
        key = f"{HISTORY}{snapshot}.json"
        kept = step.lake.stat("bronze", key)
        if kept is None:
            raise SnapshotMissing(snapshot, _snapshots(step.lake))
        source, found, written = Source(key=key, sha256=kept.sha256), kept, True
        _archive_current(step, kept.sha256)
        step.lake.copy("bronze", key, _stored(kept), step.origin(snapshot, source))
    manifest = step.publish(
        snapshot=snapshot,
        source=source,
        objects=(_stored(found),),
        checks=(),
        rows_in=found.rows,
        rows_out=found.rows,
    )
    return step.summary(manifest, objects_written=int(written))


def verify(step: Step) -> None:
    """Read bronze as a reader would, and count.

    Raises:
        CheckFailed, LakeError: it is not what the manifest says.
    """
    manifest, _ = step.lake.manifest(BRONZE)
    entry = manifest.only_object()
    rows = sum(1 for _ in record_texts(step.lake.lines("bronze", entry)))
    if not rows == entry.rows == manifest.rows_out:
        raise CheckFailed("the number of records in bronze", manifest.rows_out, rows)


def _archive_current(step: Step, replacement: str) -> None:
    """Keep the current answer under `history/`, unless it is there or is not being replaced."""
    current = step.lake.stat("bronze", BRONZE_OBJECT)
    if current is None or current.sha256 == replacement:
        return
    key = f"{HISTORY}{current.snapshot}.json"
    if step.lake.stat("bronze", key) is None:
        source = Source(key=BRONZE_OBJECT, sha256=current.sha256)
        origin = step.origin(current.snapshot, source)
        step.lake.copy("bronze", BRONZE_OBJECT, _stored(current, key), origin)


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


def _stored(stat: Stat, key: str = BRONZE_OBJECT) -> StoredObject:
    return StoredObject(key=key, rows=stat.rows, bytes=stat.bytes, sha256=stat.sha256)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
