"""Silver: the cleaned rows as Parquet, one partition a location, published by the manifest."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import accumulate, islice
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from ...breweries.table import SCHEMA
from ..errors import (
    AccountingBroken,
    CheckFailed,
    DriftStopped,
    LakeError,
    ObjectMissing,
    StoreError,
    TurnLost,
)
from ..host.workspace import workspace
from ..lake.datasets import BRONZE, CHANGES_OBJECT, REJECTED_OBJECT, SCRATCH, SILVER
from ..lake.manifest import Changes, Check, Manifest, StoredObject, now
from ..lake.partitions import Location, location
from ..lake.records import CONTENT_TYPE, array_lines
from ..lake.runs import began
from ..lake.versions import Version
from ..steps import Step, Summary, View
from ..work.engine import Task
from ..work.shuffle import TASK_BYTES, Part, Piece, buckets_for, gather, grouped, parts_of, size
from . import changes, drift, silver_tasks
from .cleaning import Rejected
from .drift import Drift, Profile, Turnover
from .silver_tasks import REJECTED_SCHEMA, CleanedRange, Written, folder

EQUATION = "silver + rejected + duplicates = bronze"
ROWS_AT_ONCE = 200_000
"""Rows of published objects that one task reads."""
RANGE_POSITIONS = 1 << 32
"""More positions than a range has records; a range's first record has a multiple of it."""


@dataclass(frozen=True)
class Cleaned:
    """What bronze holds, cleaned and scattered into a number of buckets."""

    version: Version
    ranges: list[CleanedRange]
    buckets: int

    @property
    def rejected(self) -> int:
        """How many records cannot be used."""
        return sum(part.unusable for part in self.ranges)


@dataclass(frozen=True)
class Partition:
    """The work of one task on rows: a bucket, and the locations that it holds."""

    parts: Sequence[Part]
    locations: Sequence[Location]


@dataclass(frozen=True)
class Division:
    """A large bucket's division: the tasks that scatter it, and which locations each slot gets."""

    tasks: Sequence[Task[Piece]]
    slots: Sequence[Sequence[Location]]


def transform(step: Step) -> Summary:
    """Clean what bronze holds and publish it, partitioned by location.

    Raises:
        LakeError: bronze is missing, or not what its manifest says.
        AccountingBroken: a row appeared or vanished; nothing was published.
        DriftStopped: the data changed more than the settings let pass; nothing was published.
        EngineError: the processes or the Dask cluster of the settings did not do their part.
    """
    _sweep_scratch(step)
    there = step.lake.etags("silver", SILVER.prefix)
    cleaned = step.lake.follow(BRONZE, lambda version: _clean(step, version))
    bronze, source = cleaned.version.manifest, cleaned.version.source
    written, duplicates = _partitions(step, cleaned, there)
    try:
        check, profile = _checked(cleaned, written, duplicates)
        objects = _by_key(entry for part in written for entry in part.objects)
        changed, report = _report(step, objects, bronze.snapshot)
        turnover = _turnover(step, changed, cleaned.rejected, duplicates)
        drifts = _drifts_let_pass(step, profile, turnover, bronze.snapshot)
    except (AccountingBroken, DriftStopped):
        _withdraw(step, there)
        raise

    stored = sum(part.stored for part in written) + _store_rejected(step, cleaned)
    if report:
        entry = StoredObject.of(CHANGES_OBJECT, changed.locations, report)
        stored += step.store(entry, report, CONTENT_TYPE, bronze.snapshot, source)
    manifest = step.publish(
        snapshot=bronze.snapshot,
        source=source,
        objects=objects,
        checks=(check,),
        rows_in=bronze.rows_out,
        rows_out=profile.rows,
        rows_rejected=cleaned.rejected,
        rows_duplicate=duplicates,
        profile=profile,
        drift=drifts,
        changes=changed,
    )
    removed = _remove_unnamed(step, manifest, there)
    return step.summary(
        manifest,
        locations=_locations(objects),
        objects_written=stored,
        objects_removed=removed,
        **changed.model_dump(include={"added", "removed", "moved", "changed_type"}),
        drift=[noted.what for noted in drifts],
    )


def verify(view: View) -> None:
    """Read every object that the manifest names, as a reader would, and count.

    Raises:
        CheckFailed, LakeError: silver is not what its manifest says.
    """

    def count(version: Version) -> tuple[int, int]:
        rows = version.manifest.rows_out
        buckets = buckets_for(rows, ROWS_AT_ONCE)
        pieces = _scattered(view, "ids", version.manifest.objects, ["id"], buckets)
        tasks = [
            partial(silver_tasks.count_ids, parts=parts_of(pieces, bucket))
            for bucket in range(buckets)
        ]
        return rows, sum(view.engine.run(tasks, "counting silver's ids"))

    told, found = view.lake.follow(SILVER, count)
    if told != found:
        raise CheckFailed("the number of distinct ids in silver", told, found)


def _sweep_scratch(step: Step) -> None:
    """Remove what runs left there that began a day ago, so that they must have died."""
    limit = f"{SCRATCH}{began(now() - timedelta(days=1))}"
    step.remove([key for key in step.lake.sizes("silver", SCRATCH) if key < limit])


def _clean(step: Step, version: Version) -> Cleaned:
    entry = version.manifest.only_object()
    there = step.lake.stat("bronze", entry.key)
    if there is None:
        raise ObjectMissing(f"bronze/{entry.key}")
    buckets = buckets_for(there.bytes, TASK_BYTES)
    parts = silver_tasks.ranges(entry.key, there.etag, there.bytes, version.manifest.parts)
    tasks: list[Task[CleanedRange | None]] = [
        partial(
            silver_tasks.clean_range,
            part=part,
            name=f"{entry.sha256[:16]}-{number:06}",
            first=number * RANGE_POSITIONS,
            buckets=buckets,
        )
        for number, part in enumerate(parts)
    ]
    if any(part.sha256 is None for part in parts):
        tasks.insert(0, partial(silver_tasks.check_object, entry=entry))
    cleaned = [part for part in step.engine.run(tasks, "cleaning bronze") if part]
    return Cleaned(version, cleaned, buckets)


def _partitions(step: Step, cleaned: Cleaned, there: dict[str, str]) -> tuple[list[Written], int]:
    """Store the rows; what was written, and how many rows were superseded."""
    superseded = _superseded(step, cleaned)
    rows = Counter[Location]()
    for part in cleaned.ranges:
        rows.update(part.by_location)
    rows.subtract({where: len(positions) for where, positions in superseded.items()})
    files = {where: silver_tasks.files_for(count) for where, count in rows.items()}
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for key, etag in there.items():
        folders[key.rpartition("/")[0]][key] = etag
    nothing = np.empty(0, np.int64)
    tasks = [
        partial(
            silver_tasks.write_partitions,
            parts=part.parts,
            without=np.concatenate(
                [nothing, *(superseded.get(w, nothing) for w in part.locations)]
            ),
            files={where: files[where] for where in part.locations},
            there={k: e for w in part.locations for k, e in folders[folder(w)].items()},
        )
        for part in _planned(step, cleaned, rows, files)
    ]
    written = list(step.engine.run(tasks, "writing silver"))
    return written, sum(map(len, superseded.values()))


def _superseded(step: Step, cleaned: Cleaned) -> dict[Location, npt.NDArray[np.int64]]:
    """The positions of the rows whose id comes again later, by location."""
    ids = [part.ids for part in cleaned.ranges]
    tasks = [
        partial(silver_tasks.superseded, parts=parts_of(ids, bucket))
        for bucket in range(cleaned.buckets)
    ]
    found: dict[Location, list[npt.NDArray[np.int64]]] = defaultdict(list)
    for by_location in step.engine.run(tasks, "looking for duplicates"):
        for where, positions in by_location.items():
            found[where].append(positions)
    return {where: np.concatenate(positions) for where, positions in found.items()}


def _planned(
    step: Step, cleaned: Cleaned, rows: Counter[Location], files: dict[Location, int]
) -> list[Partition]:
    """The buckets that one task can hold, and the parts of those that it cannot."""
    pieces = [part.rows for part in cleaned.ranges]
    locations: dict[int, list[Location]] = defaultdict(list)
    for where in sorted(rows):
        locations[silver_tasks.bucket_of(where, cleaned.buckets)].append(where)
    planned, divisions = [], []
    for bucket, within in sorted(locations.items()):
        parts = parts_of(pieces, bucket)
        small = sum(map(size, parts)) <= TASK_BYTES
        if small or sum(files[where] for where in within) == 1:
            planned.append(Partition(parts, within))
        else:
            divisions.append(_division(bucket, parts, {w: rows[w] for w in within}, files))
    tasks = [task for division in divisions for task in division.tasks]
    smaller = step.engine.run(tasks, "dividing large locations")
    for division in divisions:
        pieces = list(islice(smaller, len(division.tasks)))
        planned += [
            Partition(parts_of(pieces, slot), within) for slot, within in enumerate(division.slots)
        ]
    return planned


def _division(
    bucket: int, parts: Sequence[Part], rows: dict[Location, int], files: dict[Location, int]
) -> Division:
    """How a bucket that is too large for one task is scattered again, into slots of whole files."""
    slots: list[list[Location]] = [[]]
    first: dict[Location, int] = {}
    held = 0
    for where, count in rows.items():
        if held and held + count > silver_tasks.ROWS_PER_FILE:
            slots.append([])
            held = 0
        first[where] = len(slots) - 1
        held += count
        slots[-1].append(where)
        slots += [[where] for _ in range(files[where] - 1)]
    tasks = [
        partial(
            silver_tasks.split_bucket,
            parts=group,
            name=f"{group[0][0]}-{bucket}",
            first_slots=first,
            files={where: files[where] for where in rows},
            slots=len(slots),
        )
        for group in grouped(parts, size, TASK_BYTES // 2)
    ]
    return Division(tasks, slots)


def _checked(
    cleaned: Cleaned, written: Sequence[Written], duplicates: int
) -> tuple[Check, Profile]:
    """What was written is what bronze holds, and what it looks like."""
    expected = cleaned.version.manifest.rows_out
    seen = drift.seen_in_all(part.seen for part in cleaned.ranges)
    profile = drift.whole((part.profile for part in written), seen)
    found = profile.rows + cleaned.rejected + duplicates
    if found != expected:
        raise AccountingBroken(EQUATION, found, expected)
    return Check(name=EQUATION, expected=expected, found=found), profile


def _turnover(step: Step, changed: Changes, rejected: int, duplicates: int) -> Turnover:
    before = step.previous
    return Turnover(
        added=changed.added,
        removed=changed.removed,
        moved=changed.moved,
        retyped=changed.changed_type,
        rejected=rejected - (before.rows_rejected if before else 0),
        duplicate=duplicates - (before.rows_duplicate if before else 0),
    )


def _drifts_let_pass(
    step: Step, profile: Profile, turnover: Turnover, snapshot: str
) -> tuple[Drift, ...]:
    """What drifted since the version before; a replay is a person's wish, so nothing stops it."""
    before = step.previous.profile if step.previous else None
    drifts = drift.compare(before, profile, step.settings.largest_fall, turnover)
    stopping = [found for found in drifts if found.rule in step.settings.stop_on]
    if stopping and snapshot != step.snapshot_to_replay:
        raise DriftStopped([found.model_dump() for found in stopping])
    return drifts


def _withdraw(step: Step, there: Collection[str]) -> None:
    """Remove the files that this run stored in vain; the next run does it if this one cannot."""
    with suppress(StoreError, TurnLost):
        found = step.lake.sizes("silver", SILVER.prefix)
        step.remove([key for key in found if key not in there])


def _store_rejected(step: Step, cleaned: Cleaned) -> bool:
    """Put the records that cannot be used beside silver, one a line."""
    bronze = cleaned.version.manifest
    with workspace() as folder:
        path = folder / "rejected.json"
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for line in array_lines(_rejected(step, cleaned)):
                digest.update(line)
                file.write(line)
        entry = StoredObject(
            key=REJECTED_OBJECT,
            rows=cleaned.rejected,
            bytes=path.stat().st_size,
            sha256=digest.hexdigest(),
        )
        return step.store(entry, path, CONTENT_TYPE, bronze.snapshot, cleaned.version.source)


def _rejected(step: Step, cleaned: Cleaned) -> Iterator[str]:
    """The records that cannot be used, as JSON, with their places in bronze."""
    starts = accumulate((part.records for part in cleaned.ranges), initial=0)
    for start, part in zip(starts, cleaned.ranges, strict=False):
        rows = gather(step.engine.place.scratch, parts_of([part.rejected], 0), REJECTED_SCHEMA)
        for row in rows.to_pylist():
            place = start + row["position"] % RANGE_POSITIONS
            yield Rejected(row["record"], row["reason"], place).to_json()


def _report(
    step: Step, objects: Sequence[StoredObject], snapshot: str
) -> tuple[Changes, bytes | None]:
    """What changed since the version before, and the report of it; None where nothing did."""
    before = set(step.previous.objects if step.previous else ())
    gone, new = _by_key(before.difference(objects)), _by_key(set(objects) - before)
    if not gone and not new:
        return Changes(), None
    told: dict[str, Any] = {"run": step.run, "snapshot": snapshot}
    told["before"] = step.previous.snapshot if step.previous else None
    buckets = buckets_for(sum(entry.rows for entry in (*gone, *new)), ROWS_AT_ONCE)
    try:
        was = _scattered(step, "before", gone, SCHEMA.names, buckets)
    except LakeError:
        # A damaged version is replaced all the same; what it held is not known.
        told["before_readable"], before = False, set()
    if not before:
        rows = sum(entry.rows for entry in objects)
        counts = Changes(added=rows, locations=_locations(objects))
        return counts, changes.to_json({**told, "counts": counts.model_dump()})
    now = _scattered(step, "after", new, SCHEMA.names, buckets)
    tasks = [
        partial(silver_tasks.compare, before=parts_of(was, bucket), after=parts_of(now, bucket))
        for bucket in range(buckets)
    ]
    found = changes.joined(step.engine.run(tasks, "comparing with the version before"))
    report = {**told, "counts": found.changes.model_dump(), **found.report}
    return found.changes, changes.to_json(report)


def _scattered(
    view: View, name: str, entries: Sequence[StoredObject], columns: Sequence[str], buckets: int
) -> list[Piece]:
    """Some columns of published objects, scattered by id."""
    tasks = [
        partial(
            silver_tasks.scatter_objects,
            entries=group,
            name=f"{name}-{number:06}",
            columns=columns,
            buckets=buckets,
        )
        for number, group in enumerate(grouped(entries, attrgetter("rows"), ROWS_AT_ONCE))
    ]
    return list(view.engine.run(tasks, "reading silver"))


def _by_key(entries: Iterable[StoredObject]) -> tuple[StoredObject, ...]:
    return tuple(sorted(entries, key=attrgetter("key")))


def _locations(entries: Iterable[StoredObject]) -> int:
    return len({location(entry.key) for entry in entries})


def _remove_unnamed(step: Step, manifest: Manifest, there: Iterable[str]) -> int:
    """Remove what the manifest does not name: the version before, and crashes' leavings."""
    named = {entry.key for entry in manifest.objects} | {SILVER.manifest}
    unnamed = [key for key in there if key not in named]
    step.remove(unnamed)
    return len(unnamed)
