"""Silver: the cleaned rows as Parquet, by partition; the manifest publishes them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import accumulate

from ..host.workspace import workspace
from ..lake.datasets import SCRATCH
from ..lake.errors import LeaseLost, ObjectMissing, StoreError
from ..lake.manifest import Changes, Check, Drift, Manifest, Profile, StoredObject, now
from ..lake.metadata import Origin
from ..lake.records import CONTENT_TYPE, array_lines
from ..lake.runs import began
from ..lake.store import Listed
from ..lake.versions import Version
from ..work.engine import Task
from ..work.regrouping import few_buckets
from ..work.shuffle import TASK_BYTES, gather, parts_of
from ..writer import Step, Summary
from . import drift, silver_tasks, writing
from .cleaning import Rejected
from .comparison import buckets_to_compare, by_key, partitions_in, report, verify
from .drift import Turnover
from .errors import AccountingBroken, DriftStopped
from .ranges import check_object, ranges
from .silver_tasks import REJECTED_SCHEMA, CleanedRange, Silver, Written

__all__ = ["transform", "verify"]

EQUATION = "silver + rejected + duplicates = bronze"
RANGE_POSITIONS = 1 << 32
"""More than the records of any range. The first position of each range is a multiple of it."""


@dataclass(frozen=True)
class Cleaned:
    """Bronze's records, cleaned and scattered into hash buckets."""

    version: Version
    ranges: list[CleanedRange]
    buckets: int
    key_buckets: int
    """The number of hash buckets for the keys of new rows."""

    @property
    def rejected(self) -> int:
        """The number of rejects."""
        return sum(cleaned.unusable for cleaned in self.ranges)

    def origin(self, run: str) -> Origin:
        """The origin of silver."""
        bronze = self.version.manifest
        return Origin(run, bronze.snapshot, self.version.source, bronze.rows_out)


def transform(step: Step) -> Summary:
    """Clean bronze's records and publish the rows, by partition.

    Raises:
        LakeError: bronze is missing or differs from its manifest.
        AccountingBroken: a row appeared or vanished; nothing was published.
        DriftStopped: the data changed more than the settings allow; nothing was published.
        EngineError: the threads or the Dask cluster failed.
    """
    silver, writer = Silver.of(step.flow), step.writer
    _sweep_scratch(step)
    stored = step.lake.store.listed("silver", writer.dataset.prefix)
    cleaned = step.lake.follow(step.flow.bronze, lambda version: _clean(step, silver, version))
    origin, snapshot = cleaned.origin(step.run), cleaned.version.manifest.snapshot
    written, duplicates = _write(step, silver, cleaned, stored)
    try:
        check, profile = _checked(cleaned, written, duplicates)
        objects = by_key([entry for one in written for entry in one.objects])
        changed, changes = report(step, silver, written, cleaned.key_buckets, snapshot)
        turnover = _turnover(step, changed, cleaned.rejected, duplicates)
        drifts = _drifts_let_pass(step, profile, turnover, snapshot)
    except (AccountingBroken, DriftStopped):
        _withdraw(step, stored)
        raise
    count = sum(one.stored for one in written) + _store_rejected(step, cleaned, origin)
    count += _store_changes(step, changed, changes, origin)
    manifest = writer.publish(
        origin,
        objects=objects,
        checks=(check,),
        rows_out=profile.rows,
        rows_rejected=cleaned.rejected,
        rows_duplicate=duplicates,
        profile=profile,
        drift=drifts,
        changes=changed,
    )
    return writer.summary(
        manifest,
        partitions=partitions_in(objects),
        objects_written=count,
        objects_removed=_remove_unnamed(step, manifest, stored),
        **changed.model_dump(exclude={"changed", "partitions"}),
        drift=[noted.what for noted in drifts],
    )


def _sweep_scratch(step: Step) -> None:
    """Remove the scratch of runs that began more than a day ago; such runs must have died."""
    limit = f"{SCRATCH}{began(now() - timedelta(days=1))}"
    left = step.lake.store.listed("silver", SCRATCH)
    step.writer.remove([key for key in left if key < limit])


def _clean(step: Step, silver: Silver, version: Version) -> Cleaned:
    entry = version.manifest.only_object()
    stored = step.lake.stat("bronze", entry.key)
    if stored is None:
        raise ObjectMissing(f"bronze/{entry.key}")
    buckets = few_buckets(stored.bytes, TASK_BYTES)
    spans = ranges(entry.key, stored.etag, stored.bytes, version.manifest.parts)
    tasks: list[Task[CleanedRange | None]] = [
        partial(
            silver_tasks.clean_range,
            silver=silver,
            span=span,
            name=f"{entry.sha256[:16]}-{number:06}",
            first=number * RANGE_POSITIONS,
            buckets=buckets,
        )
        for number, span in enumerate(spans)
    ]
    if any(span.sha256 is None for span in spans):
        tasks.insert(0, partial(check_object, entry=entry))
    cleaned = [done for done in step.engine.run(tasks, "cleaning bronze") if done]
    key_buckets = buckets_to_compare(version.manifest.rows_out, step.writer.previous)
    return Cleaned(version, cleaned, buckets, key_buckets)


def _write(
    step: Step, silver: Silver, cleaned: Cleaned, stored: Mapping[str, Listed]
) -> tuple[list[Written], int]:
    """Store the missing files; returns what was written, and the number of duplicates."""
    etags = {key: entry.etag for key, entry in stored.items()}
    previous = step.writer.previous
    before = {entry.key for entry in previous.objects} if previous else None
    return writing.write(
        step.engine,
        silver,
        cleaned.ranges,
        cleaned.buckets,
        etags,
        before,
        cleaned.key_buckets,
    )


def _checked(
    cleaned: Cleaned, written: Sequence[Written], duplicates: int
) -> tuple[Check, Profile]:
    """Check that all of bronze's records are accounted for; returns the check and the profile."""
    expected = cleaned.version.manifest.rows_out
    seen = drift.seen_in_all(one.seen for one in cleaned.ranges)
    profile = drift.whole((one.profile for one in written), seen)
    found = profile.rows + cleaned.rejected + duplicates
    if found != expected:
        raise AccountingBroken(EQUATION, found, expected)
    return Check(name=EQUATION, expected=expected, found=found), profile


def _turnover(step: Step, changed: Changes, rejected: int, duplicates: int) -> Turnover:
    before = step.writer.previous
    return Turnover(
        added=changed.added,
        removed=changed.removed,
        moved=changed.moved,
        retyped=changed.retyped,
        rejected=rejected - (before.rows_rejected if before else 0),
        duplicate=duplicates - (before.rows_duplicate if before else 0),
    )


def _drifts_let_pass(
    step: Step, profile: Profile, turnover: Turnover, snapshot: str
) -> tuple[Drift, ...]:
    """The drifts since the previous version. A person asks for a replay, so no drift stops it."""
    settings, previous = step.settings.flow, step.writer.previous
    before = previous.profile if previous else None
    drifts = drift.compare(step.flow.table, before, profile, settings.largest_fall, turnover)
    stopping = [found for found in drifts if found.rule in settings.stop_on]
    if stopping and snapshot != step.snapshot_to_replay:
        raise DriftStopped([found.model_dump() for found in stopping], settings.prefix)
    return drifts


def _withdraw(step: Step, stored: Collection[str]) -> None:
    """Remove the files that this run stored; if that fails, the next run removes them."""
    with suppress(StoreError, LeaseLost):
        found = step.lake.store.listed("silver", step.writer.dataset.prefix)
        step.writer.remove([key for key in found if key not in stored])


def _store_rejected(step: Step, cleaned: Cleaned, origin: Origin) -> bool:
    """Store the rejects beside silver, one per line."""
    with workspace() as folder:
        path = folder / "rejected.json"
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for line in array_lines(_rejected(step, cleaned)):
                digest.update(line)
                file.write(line)
        entry = StoredObject(
            key=step.flow.rejected,
            rows=cleaned.rejected,
            bytes=path.stat().st_size,
            sha256=digest.hexdigest(),
        )
        return step.writer.store(entry, path, CONTENT_TYPE, origin)


def _store_changes(step: Step, changed: Changes, report: bytes | None, origin: Origin) -> bool:
    """Store the change report beside silver, if anything changed."""
    if report is None:
        return False
    entry = StoredObject.of(step.flow.changes, changed.partitions, report)
    return step.writer.store(entry, report, CONTENT_TYPE, origin)


def _rejected(step: Step, cleaned: Cleaned) -> Iterator[str]:
    """The rejects as JSON, with their positions in bronze."""
    starts = accumulate((one.records for one in cleaned.ranges), initial=0)
    for start, one in zip(starts, cleaned.ranges, strict=False):
        rows = gather(step.engine.place.scratch, parts_of([one.rejected], 0), REJECTED_SCHEMA)
        for row in rows.to_pylist():
            position = start + row["position"] % RANGE_POSITIONS
            yield Rejected(row["record"], row["reason"], position).to_json()


def _remove_unnamed(step: Step, manifest: Manifest, stored: Collection[str]) -> int:
    """Remove the objects that the manifest does not name: the previous version, and leftovers."""
    named = {entry.key for entry in manifest.objects} | {step.writer.dataset.manifest}
    unnamed = [key for key in stored if key not in named]
    step.writer.remove(unnamed)
    return len(unnamed)
