"""Silver: the cleaned rows as Parquet, one partition a location, published by the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from . import changes, drift, parquet
from .cleaning import (
    CLEAN_SCHEMA,
    LOCATION,
    SCHEMA,
    Rejected,
    clean,
    resolve_duplicates,
)
from .datasets import BRONZE, CHANGES_OBJECT, REJECTED_OBJECT, SILVER
from .drift import Drift, Profile
from .errors import AccountingBroken, CheckFailed, DriftStopped, LakeError
from .lake import Lake, Version
from .manifest import Changes, Check, Manifest, Source, StoredObject, md5, sha256
from .partitions import location, partition
from .records import CONTENT_TYPE, array_lines, record_texts
from .steps import Step, Summary

BATCH = 20_000  # records; bounds how many are Python objects at a time
EQUATION = "silver + rejected + duplicates = bronze"


@dataclass(frozen=True)
class Cleaned:
    """What bronze holds, cleaned: the usable rows (`CLEAN_SCHEMA`), the others, the fields seen."""

    version: Version
    usable: pa.Table
    rejected: list[Rejected]
    fields: drift.Fields


def transform(step: Step) -> Summary:
    """Clean what bronze holds and publish it, partitioned by location.

    Raises:
        LakeError: bronze is missing, or not what its manifest says.
        AccountingBroken: a row appeared or vanished; nothing was published.
        DriftStopped: the data changed more than the settings let pass; nothing was published.
    """
    cleaned = step.lake.follow(BRONZE, lambda version: _clean(step.lake, version))
    bronze, source = cleaned.version.manifest, cleaned.version.source
    rows = resolve_duplicates(cleaned.usable)
    profile = _profile(rows, cleaned.fields)
    drifts = _drifts_let_pass(step, profile, bronze.snapshot)

    contents = dict(_partitions(rows))
    rows_out = sum(entry.rows for entry in contents)
    duplicates = len(cleaned.usable) - len(rows)
    accounted = rows_out + len(cleaned.rejected) + duplicates
    if accounted != bronze.rows_out:
        raise AccountingBroken(EQUATION, accounted, bronze.rows_out)

    there = step.lake.etags("silver", SILVER.prefix)
    written = _store_missing(step.lake, contents, there)
    lines = [row.to_json() for row in cleaned.rejected]
    quarantined = b"".join(array_lines(lines))
    written += _store(step, REJECTED_OBJECT, len(lines), quarantined, bronze.snapshot, source)
    changed, report = _report(step, contents, bronze.snapshot)
    if report:
        written += _store(step, CHANGES_OBJECT, changed.locations, report, bronze.snapshot, source)
    manifest = step.publish(
        snapshot=bronze.snapshot,
        source=source,
        objects=tuple(contents),
        checks=(Check(name=EQUATION, expected=bronze.rows_out, found=accounted),),
        rows_in=bronze.rows_out,
        rows_out=rows_out,
        rows_rejected=len(cleaned.rejected),
        rows_duplicate=duplicates,
        profile=profile,
        drift=drifts,
        changes=changed,
    )
    removed = _remove_unnamed(step, manifest, there)
    return step.summary(
        manifest,
        locations=len(contents),
        objects_written=written,
        objects_removed=removed,
        **changed.model_dump(include={"added", "removed", "moved", "changed_type"}),
        drift=[noted.what for noted in drifts],
    )


def verify(lake: Lake) -> None:
    """Read every object that the manifest names, as a reader would, and count.

    Raises:
        CheckFailed, LakeError: silver is not what its manifest says.
    """

    def ids(entry: StoredObject) -> pa.ChunkedArray:
        content = lake.read("silver", entry)
        return parquet.read(f"silver/{entry.key}", content, entry, SCHEMA)["id"]

    def count(version: Version) -> tuple[int, int]:
        columns = lake.each(ids, version.manifest.objects)
        chunks = [chunk for column in columns for chunk in column.chunks]
        distinct = pc.count_distinct(pa.chunked_array(chunks, pa.string())).as_py()
        return version.manifest.rows_out, distinct

    told, found = lake.follow(SILVER, count)
    if told != found:
        raise CheckFailed("the number of distinct ids in silver", told, found)


def _clean(lake: Lake, version: Version) -> Cleaned:
    texts = record_texts(lake.lines("bronze", version.manifest.only_object()))
    tables, fields, rejected, start = [CLEAN_SCHEMA.empty_table()], [], list[Rejected](), 0
    while batch := list(islice(texts, BATCH)):
        table, unusable, seen = clean(batch, start)
        tables.append(table)
        fields.append(seen)
        rejected += unusable
        start += len(batch)
    return Cleaned(version, pa.concat_tables(tables), rejected, drift.joined(fields))


def _profile(rows: pa.Table, fields: drift.Fields) -> Profile:
    def counts(column: str) -> dict[str, int]:
        counted = rows[column].drop_null().value_counts().to_pylist()
        return dict(sorted((item["values"], item["counts"]) for item in counted))

    return Profile(
        rows=len(rows),
        fields=fields,
        values={name: len(rows) - rows[name].null_count for name in SCHEMA.names},
        countries=counts("country"),
        brewery_types=counts("brewery_type"),
    )


def _drifts_let_pass(step: Step, profile: Profile, snapshot: str) -> tuple[Drift, ...]:
    """What drifted since the version before; a replay is a person's wish, so nothing stops it."""
    before = step.previous.profile if step.previous else None
    drifts = drift.compare(before, profile, step.settings.largest_fall)
    stopping = [found for found in drifts if found.rule in step.settings.stop_on]
    if stopping and snapshot != step.snapshot_to_replay:
        raise DriftStopped([found.model_dump() for found in stopping])
    return drifts


def _report(
    step: Step, contents: dict[StoredObject, bytes], snapshot: str
) -> tuple[Changes, bytes | None]:
    """What changed since the version before, and the report of it; None where nothing did."""
    before = set(step.previous.objects if step.previous else ())
    gone, new = before - contents.keys(), contents.keys() - before
    if not gone and not new:
        return Changes(), None
    told: dict[str, Any] = {"run": step.run, "snapshot": snapshot}
    told["before"] = step.previous.snapshot if step.previous else None
    try:
        was = _located(gone, step.lake.each(lambda e: step.lake.read("silver", e), gone))
    except LakeError:
        # A damaged version is replaced all the same; what it held is not known.
        told["before_readable"], before = False, set()
    if before:
        counts, rows = changes.compare(was, _located(new, [contents[entry] for entry in new]))
    else:
        added = sum(entry.rows for entry in contents)
        counts, rows = Changes(added=added, locations=len(contents)), {}
    return counts, changes.to_json({**told, "counts": counts.model_dump(), **rows})


def _located(entries: Iterable[StoredObject], contents: Iterable[bytes]) -> pa.Table:
    """The rows of some silver objects, with their location."""
    tables = [changes.LOCATED_SCHEMA.empty_table()]
    for entry, content in zip(entries, contents, strict=True):
        table = parquet.read(f"silver/{entry.key}", content, entry, SCHEMA)
        for name, value in zip(LOCATION, location(entry.key), strict=True):
            table = table.append_column(name, pa.repeat(pa.scalar(value), len(table)))
        tables.append(table)
    return pa.concat_tables(tables)


def _partitions(rows: pa.Table) -> Iterator[tuple[StoredObject, bytes]]:
    """Each location's rows by id, as a file named by its content."""
    by_location = [(name, "ascending") for name in LOCATION]
    ordered = rows.sort_by([*by_location, ("id", "ascending")])
    # Arrow groups in no order of its own, not even that of its input.
    sizes = ordered.group_by(list(LOCATION)).aggregate([([], "count_all")]).sort_by(by_location)
    start = 0
    for size in sizes.to_pylist():
        count = size["count_all"]
        content = parquet.write(ordered.slice(start, count).select(SCHEMA.names))
        digest = sha256(content)
        key = f"{SILVER.prefix}{partition(size['country'], size['state'])}/{digest[:32]}.parquet"
        yield StoredObject(key=key, rows=count, bytes=len(content), sha256=digest), content
        start += count


def _store_missing(lake: Lake, contents: dict[StoredObject, bytes], there: dict[str, str]) -> int:
    """Store the files that are not there as they should be; returns how many."""
    missing = [entry for entry, content in contents.items() if there.get(entry.key) != md5(content)]
    lake.each(
        lambda entry: lake.put("silver", entry.key, contents[entry], parquet.CONTENT_TYPE), missing
    )
    return len(missing)


def _store(step: Step, key: str, rows: int, content: bytes, snapshot: str, source: Source) -> bool:
    entry = StoredObject.of(key, rows, content)
    return step.store(entry, content, CONTENT_TYPE, snapshot, source)


def _remove_unnamed(step: Step, manifest: Manifest, there: Iterable[str]) -> int:
    """Remove what the manifest does not name: the version before, and crashes' leavings."""
    named = {entry.key for entry in manifest.objects} | {SILVER.manifest}
    unnamed = [key for key in there if key not in named]
    step.remove(unnamed)
    return len(unnamed)
