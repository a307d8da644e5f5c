"""Silver: the cleaned rows as Parquet, by partition."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from operator import attrgetter

from ...context import FlowContext, Summary
from ...host.workspace import workspace
from ...lake.datasets import Dataset
from ...lake.errors import ObjectDiffers, ObjectMissing
from ...lake.manifest import Changes, Check, Copy, Drift, Profile
from ...lake.records import CONTENT_TYPE, array_lines
from ...step import Step
from ...writer import Provenance, made_from_expired
from ..errors import AccountingBroken, CheckFailed, DriftStopped
from .clean import Cleaned, clean, rejected
from .compare import partitions_in, report_changes
from .drift import Outcome, find_drifts, whole
from .write import Written, write_rows

logger = logging.getLogger(__name__)

EQUATION = "silver + rejected + duplicates = bronze"


def transform(step: Step) -> Summary:
    """Clean bronze's records and publish the rows, by partition.

    Raises:
        LakeError: bronze is missing or differs from its manifest.
        AccountingBroken: a row appeared or vanished; nothing was published.
        DriftStopped: the data changed more than the settings allow; nothing was published.
        EngineError: the threads or the Dask cluster failed.
    """
    flow, writer = step.flow, step.writer
    previous = writer.previous.objects if writer.previous else None
    cleaned = step.lake.read_current(flow.bronze, lambda version: clean(step, version))
    bronze, plan = cleaned.version, cleaned.plan
    written, duplicates = write_rows(step.engine, plan, cleaned.ranges, previous)
    _check_stored(step, written)
    check, profile = _checked(cleaned, written, duplicates)
    objects = sorted((entry for one in written for entry in one.objects), key=attrgetter("key"))
    changes, report = report_changes(step, plan, written, bronze.snapshot)
    drifts = _drifts_let_pass(step, cleaned, profile, changes, duplicates)
    writer.objects_written += sum(len(one.stored) for one in written)
    manifest = writer.manifest(
        Provenance.of(flow.bronze, bronze),
        objects=tuple(objects),
        copies=(_store_rejected(step, cleaned), _store_changes(step, changes, report)),
        checks=(check,),
        rows_out=profile.rows,
        rows_rejected=cleaned.rejected,
        rows_duplicate=duplicates,
        profile=profile,
        drift=drifts,
        changes=changes,
    )
    manifest = writer.publish(manifest, made_from_expired(flow.bronze, bronze))
    return writer.summary(
        manifest,
        partitions=partitions_in(objects),
        objects_removed=len(set(previous or ()) - set(manifest.objects)),
        **changes.model_dump(exclude={"changed", "partitions"}),
        drift=[noted.what for noted in drifts],
    )


def _check_stored(step: Step, written: Sequence[Written]) -> None:
    """Check what was stored, by its listed size and MD5, else by reading it; LakeError if not."""
    listed = step.lake.store.listed("silver", step.writer.dataset.prefix)
    found = {key: (one.bytes, one.etag) for key, one in listed.items()}
    stored = [(entry, one.stored.get(entry.key)) for one in written for entry in one.objects]
    doubtful = [e for e, md5 in stored if md5 and found.get(e.key) != (e.bytes, md5)]
    for _ in step.lake.contents("silver", doubtful):
        pass


def verify(context: FlowContext, dataset: Dataset) -> None:
    """Check that each object is listed, in its size; CheckFailed or LakeError if not."""
    store = context.lake.store
    listed = store.listed("silver", dataset.prefix)
    version, _ = context.lake.log(dataset).newest_content(listed)
    if dataset.entry(version.version) not in listed:  # another run has published meanwhile
        listed = store.listed("silver", dataset.prefix)
    rows = sum(entry.rows for entry in version.objects)
    if rows != version.rows_out:
        raise CheckFailed("the number of rows of silver's objects", version.rows_out, rows)
    for entry in version.objects:
        if not (found := listed.get(entry.key)):
            raise ObjectMissing(f"silver/{entry.key}")
        if found.bytes != entry.bytes:
            raise ObjectDiffers(f"silver/{entry.key}", "bytes", entry.bytes, found.bytes)


def _checked(
    cleaned: Cleaned, written: Sequence[Written], duplicates: int
) -> tuple[Check, Profile]:
    """Check that all of bronze's records are accounted for; returns the check and the profile."""
    expected = cleaned.version.rows_out
    profile = whole((one.profile for one in written), cleaned.seen)
    found = profile.rows + cleaned.rejected + duplicates
    if found != expected:
        raise AccountingBroken(EQUATION, found, expected)
    return Check(name=EQUATION, expected=expected, found=found), profile


def _drifts_let_pass(
    step: Step, cleaned: Cleaned, profile: Profile, changed: Changes, duplicates: int
) -> tuple[Drift, ...]:
    """The drifts since the previous version. A person asks for a replay, so no drift stops it."""
    settings, previous, before = step.settings.flow, step.writer.previous, None
    if previous and previous.profile:
        before = Outcome(previous.profile, previous.rows_rejected, previous.rows_duplicate)
    after, table = Outcome(profile, cleaned.rejected, duplicates), step.flow.table
    drifts = find_drifts(table, before, after, changed, cleaned.seen, settings.largest_fall)
    stopping = [found.model_dump() for found in drifts if found.rule in settings.stop_on]
    if stopping and cleaned.version.snapshot != step.snapshot_to_replay:
        raise DriftStopped(stopping, settings.prefix)
    return drifts


def _store_rejected(step: Step, cleaned: Cleaned) -> Copy:
    """Store the rejects, one per line."""
    with workspace() as folder:
        path = folder / "rejected.json"
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for line in array_lines(rejected(step, cleaned)):
                digest.update(line)
                file.write(line)
        return step.writer.store_copied(
            step.flow.rejected, path, cleaned.rejected, CONTENT_TYPE, digest.hexdigest()
        )


def _store_changes(step: Step, changes: Changes, report: bytes) -> Copy:
    """Store the change report; if nothing changed, the last one stays."""
    writer, key = step.writer, step.flow.changes
    if changes == Changes():
        if copy := writer.carry(key):
            return copy
        if writer.previous and writer.previous.copy_at(key):
            logger.warning(
                f"silver/{key} was damaged, and is lost: it says now that nothing changed."
            )
    return writer.store_copied(key, report, changes.partitions, CONTENT_TYPE)
