"""Bronze: the newest snapshot of the API, as received, and the earlier snapshots."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from ..context import FlowContext, Summary
from ..host.workspace import workspace
from ..lake.datasets import Dataset
from ..lake.errors import LakeError, ObjectMissing, SnapshotMissing, StoreBusy, StoreError
from ..lake.manifest import (
    PART_BYTES,
    Check,
    Copy,
    Drift,
    Manifest,
    PartHashes,
    Snapshot,
    Source,
    StoredObject,
)
from ..lake.records import CONTENT_TYPE, record_texts
from ..lake.runs import RUN, new_run, now, time_of
from ..settings import FlowSettings
from ..source.crawl import crawl
from ..step import Step
from ..writer import Provenance, Writer
from .errors import CheckFailed, DriftStopped
from .silver.cleaner import Cleaner

logger = logging.getLogger(__name__)

READ_AGAIN = 64 << 20  # bytes of earlier snapshots that a run checks, in turns


def extract(step: Step) -> Summary:
    """Publish a new snapshot, or an earlier one that the runtime variable `snapshot` names.

    Raises:
        DriftStopped: the API's host is another than before.
        FatalApiError: no snapshot that is proved complete could be fetched.
        SnapshotMissing: bronze retains no such snapshot.
        ObjectDiffers: no copy of that snapshot is whole.
    """
    writer, replay = step.writer, step.snapshot_to_replay
    earlier = _earlier(writer)
    with workspace() as folder:
        path = folder / "snapshot.json"
        local = _replayed(writer, earlier, replay, path) if replay else _fetched(step, path)
        entry, parts = _hashed(path, writer.dataset.earlier(writer.writer_id), local.rows)
        before = writer.previous.only_object() if writer.previous else None
        snapshot = local.snapshot
        if writer.previous and before and before.sha256 == entry.sha256 and not replay:
            snapshot = writer.previous.snapshot
        source = Source(key=local.key, sha256=entry.sha256)
        entry = writer.store(entry, path, CONTENT_TYPE, before)
    others = [one for one in earlier if one.snapshot != snapshot]
    retained = tuple(_whole(writer, _unexpired(step, others)))
    manifest = writer.manifest(
        Provenance(snapshot, source, local.rows, bool(replay)),
        objects=(entry,),
        copies=(Copy(key=str(writer.dataset.object), object=entry),),
        retained=retained,
        checks=local.checks,
        rows_out=entry.rows,
        parts=parts,
    )
    known = {snapshot, *(one.snapshot for one in retained)}
    manifest = writer.publish(manifest, lambda entry: entry.snapshot not in known)
    return writer.summary(manifest, snapshots_removed=len(others) - len(retained))


@dataclass(frozen=True)
class LocalSnapshot:
    """A snapshot in a local file: its number of records, its id, and the key of its source."""

    rows: int
    snapshot: str
    key: str
    checks: tuple[Check, ...] = ()


def _fetched(step: Step, path: Path) -> LocalSnapshot:
    """Fetch all records into a file."""
    settings, table = step.settings.flow, step.flow.table
    _stop_if_changed(step.writer, settings)
    is_derived = any(table[name].derive for name in table.keys)
    identities = Cleaner(table, step.flow.clean).identities if is_derived else None
    fetched = crawl(step.flow.api, table, settings, path, identities)
    return LocalSnapshot(fetched.records, step.run, settings.api_url, fetched.checks)


def _stop_if_changed(writer: Writer, settings: FlowSettings) -> None:
    """Refuse an API on another host than that of the newest records that were fetched."""
    known = writer.previous.source.key if writer.previous else settings.api_url
    if not urlsplit(known).hostname:  # the source of a replay is an object
        entries = reversed([*writer.lake.log(writer.dataset).entries()])
        urls = (entry.source.key for _, entry in entries if entry)
        known = next((url for url in urls if urlsplit(url).hostname), settings.api_url)
    if urlsplit(known).hostname == urlsplit(settings.api_url).hostname:
        return
    what = f"bronze is from {known}, and {settings.name_of('API_URL')} is {settings.api_url}"
    if "api_changed" in settings.stop_on:
        drift = Drift(rule="api_changed", subject="API_URL", what=what)
        raise DriftStopped([drift.model_dump()], settings.prefix)
    logger.warning(f"{what[0].upper()}{what[1:]}.")


def _replayed(
    writer: Writer, earlier: Sequence[Snapshot], snapshot: str, path: Path
) -> LocalSnapshot:
    """Write an earlier snapshot, or the current one, into a file."""
    known = {one.snapshot: one.object for one in earlier}
    if snapshot not in known and writer.previous:  # it may be the run that published one
        versions = writer.lake.log(writer.dataset).entries()
        of_run = (one.snapshot for _, one in versions if one and one.run == snapshot)
        snapshot = next(of_run, snapshot)
    problem: Exception = SnapshotMissing(snapshot, [*known][-5:] or ["none"])
    if (wanted := known.get(snapshot)) is None:
        raise problem
    for entry in _equal(writer, wanted, earlier):
        try:
            with path.open("wb") as file:
                file.writelines(writer.lake.chunks("bronze", entry))
        except (LakeError, StoreError) as error:
            problem = error if isinstance(problem, SnapshotMissing) else problem
        else:
            return LocalSnapshot(wanted.rows, snapshot, entry.key)
    raise problem


def snapshots_of(version: Manifest) -> list[Snapshot]:
    """The snapshots of a version of bronze: the retained ones, oldest first, and its own."""
    own = Snapshot(
        snapshot=version.snapshot,
        object=version.only_object(),
        version=version.version,
        published_at=version.published_at,
    )
    return [*version.retained, own]


def _earlier(writer: Writer) -> list[Snapshot]:
    """The snapshots that bronze has before this run, oldest first."""
    if writer.previous:
        return snapshots_of(writer.previous)
    # No log, or a damaged one: every snapshot in the store is retained.
    known = dict[str, Snapshot]()
    log = writer.lake.log(writer.dataset)
    for number in log.numbers(writer.stored):
        with suppress(LakeError, StoreError):
            known |= {one.object.key: one for one in snapshots_of(log.entry(number))}
    found = _fixed(writer) if not known else []
    for key in sorted(writer.stored):
        if key.startswith(writer.dataset.folder) and key.endswith(".json"):
            found += [known[key]] if key in known else _adopted(writer, key)
    return sorted(found, key=lambda one: (one.version, one.snapshot))


def _fixed(writer: Writer) -> list[Snapshot]:
    """The newest snapshot of a release without logs, which has only its fixed name.

    It gets a name that never changes, for the copy at the fixed name will be another one's.
    """
    bronze, fixed = writer.dataset, str(writer.dataset.object)
    if fixed not in writer.stored:
        return []
    snapshot = new_run()
    with suppress(ValueError, TypeError, LookupError, RecursionError):
        manifest = json.loads(writer.lake.store.get("bronze", bronze.manifest) or b"")
        found = re.fullmatch(RUN, manifest["snapshot"])
        snapshot = found[0] if found else snapshot
    key = bronze.earlier(snapshot)
    if key in writer.stored:
        return []
    writer.lake.store.copy("bronze", fixed, key, CONTENT_TYPE)
    return _adopted(writer, key)


def _adopted(writer: Writer, key: str) -> list[Snapshot]:
    """A snapshot that no log entry names: a release without logs wrote it, or a run that died."""
    snapshot = key.removeprefix(writer.dataset.folder).removesuffix(".json")
    try:
        began = time_of(snapshot)
    except ValueError:
        logger.warning(f"bronze/{key} is no snapshot, by its name, and is removed.")
        return []
    try:
        with workspace() as folder:
            path = folder / "snapshot.json"
            with path.open("wb") as file:
                file.writelines(writer.lake.store.stream("bronze", key))
            with path.open("rb") as lines:
                rows = sum(1 for _ in record_texts(lines))
            entry, _ = _hashed(path, key, rows)
    except (LakeError, StoreBusy):  # each run will tell that it is damaged
        entry = StoredObject(key=key, rows=0, bytes=0, sha256="unknown")
    return [Snapshot(snapshot=snapshot, object=entry, version=0, published_at=began)]


def verify(context: FlowContext, bronze: Dataset) -> None:
    """Count bronze's records, as a reader would; CheckFailed or LakeError if it differs."""

    def count(version: Manifest) -> tuple[int, int]:
        lines = context.lake.lines("bronze", version.only_object())
        return version.rows_out, sum(1 for _ in record_texts(lines))

    expected, found = context.lake.read_current(bronze, count)
    if expected != found:
        raise CheckFailed("the number of records in bronze", expected, found)


def expired(
    snapshots: Sequence[Snapshot],
    versions: int,
    days: int,
    today: datetime,
    in_use: Collection[str],
) -> list[Snapshot]:
    """The expired ones of earlier snapshots, which are in the order of their last publish.

    All but the newest `versions` expire, and those that were published more than `days` days before
    `today`; 0 is no limit. Those `in_use`, the sources of published versions, never do.
    """
    oldest = today - timedelta(days=days)
    first = max(0, len(snapshots) - versions) if versions else 0
    return [
        one
        for number, one in enumerate(snapshots)
        if (number < first or (days and one.published_at < oldest)) and one.snapshot not in in_use
    ]


def _unexpired(step: Step, earlier: Sequence[Snapshot]) -> list[Snapshot]:
    """The earlier snapshots without the expired ones."""
    settings, previous = step.settings.flow, step.writer.previous
    # A clock that was set back must not be compared with times of a later one.
    today = max([now(), *([previous.published_at] if previous else [])])
    limits = settings.history_versions, settings.history_days, today
    if not expired(earlier, *limits, in_use=()):
        return [*earlier]
    try:
        others = [d for d in step.flow.datasets if d != step.writer.dataset]
        published = [step.lake.published(dataset) for dataset in others]
    except (LakeError, StoreError):
        return [*earlier]  # the snapshots in use are unknown, so none may be removed
    gone = expired(earlier, *limits, {manifest.snapshot for manifest in published if manifest})
    return [one for one in earlier if one not in gone]


def _whole(writer: Writer, earlier: Sequence[Snapshot]) -> Iterator[Snapshot]:
    """Look at some earlier snapshots, and mend what is damaged, if another copy is whole.

    The newest one is always read, since its copy at the fixed name will be another one's. A
    snapshot that is gone is logged, and no longer retained.
    """
    older, size = earlier[:-1], 0
    turn = writer.number % max(len(older), 1)
    to_read = {one.object.key for one in earlier[-1:]}
    for one in [*older[turn:], *older[:turn]]:
        if size and size + one.object.bytes > READ_AGAIN:
            break
        size += one.object.bytes
        to_read.add(one.object.key)
    for one in earlier:
        listed = writer.stored.get(one.object.key)
        is_suspect = listed is None or listed.bytes != one.object.bytes
        problem = None
        if is_suspect or one.object.key in to_read:
            problem = writer.lake.problem("bronze", one.object)
        if problem is None or _mended(writer, one.object, earlier):
            yield one
        else:
            yield from _lost(one, problem)


def _mended(writer: Writer, entry: StoredObject, earlier: Sequence[Snapshot]) -> bool:
    for other in _equal(writer, entry, earlier):
        if other.key != entry.key and writer.is_whole(other):
            writer.lake.store.copy("bronze", other.key, entry.key, CONTENT_TYPE)
            return writer.is_whole(entry)
    return False


def _equal(
    writer: Writer, wanted: StoredObject, earlier: Sequence[Snapshot]
) -> Iterator[StoredObject]:
    """The objects that should have the same content: itself, other snapshots, the fixed name."""
    equal = [one.object for one in earlier if one.object.sha256 == wanted.sha256]
    yield from dict.fromkeys([wanted, *equal])
    yield wanted.model_copy(update={"key": str(writer.dataset.object)})


def _lost(one: Snapshot, problem: Exception) -> Iterator[Snapshot]:
    """Tell of a snapshot that has no whole copy; it is retained as long as an object is there."""
    what = f"bronze/{one.object.key}, the only copy of the snapshot {one.snapshot},"
    then = "the versions that were made from it cannot be rebuilt"
    if isinstance(problem, ObjectMissing):
        logger.warning(f"{what} is missing, and {then}.")
        return
    if isinstance(problem, StoreError):
        logger.warning(f"{what} cannot be read now. {problem}")
    else:
        logger.warning(f"{what} is damaged, and {then}: remove it, or put a whole copy there.")
    yield one


def _hashed(path: Path, key: str, rows: int) -> tuple[StoredObject, PartHashes]:
    """The entry of a file for a key, and the hashes of its parts."""
    whole, parts = hashlib.sha256(), []
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            whole.update(part)
            parts.append(hashlib.sha256(part).hexdigest())
        size = file.tell()
    entry = StoredObject(key=key, rows=rows, bytes=size, sha256=whole.hexdigest())
    return entry, PartHashes(size=PART_BYTES, sha256=tuple(parts))
