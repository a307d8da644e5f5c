"""Silver: the cleaned rows as Parquet, one partition a location, published by the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from . import parquet
from .cleaning import CLEAN_SCHEMA, LOCATION, SCHEMA, Rejected, clean, resolve_duplicates
from .datasets import BRONZE, REJECTED_OBJECT, SILVER
from .errors import AccountingBroken, CheckFailed
from .lake import Lake
from .manifest import Check, Manifest, StoredObject, sha256
from .partitions import partition
from .records import CONTENT_TYPE, array_lines, record_texts
from .steps import Step, Summary

BATCH = 20_000  # records; bounds how many are Python objects at a time
EQUATION = "silver + rejected + duplicates = bronze"


def transform(step: Step) -> Summary:
    """Clean what bronze holds and publish it, partitioned by location.

    Raises:
        LakeError: bronze is missing, or not what its manifest says.
        AccountingBroken: a row appeared or vanished; nothing was published.
    """
    bronze, source = step.lake.manifest(BRONZE)
    usable, rejected = _clean(record_texts(step.lake.lines("bronze", bronze.only_object())))
    rows = resolve_duplicates(usable)
    contents = dict(_partitions(rows))

    rows_out = sum(entry.rows for entry in contents)
    duplicates = len(usable) - len(rows)
    accounted = rows_out + len(rejected) + duplicates
    if accounted != bronze.rows_out:
        raise AccountingBroken(EQUATION, accounted, bronze.rows_out)

    there = step.lake.sizes("silver", SILVER.prefix)
    written = _store_missing(step.lake, contents, there)
    quarantine, quarantined = _quarantine(rejected)
    origin = step.origin(bronze.snapshot, source)
    written += step.lake.publish("silver", quarantine, quarantined, CONTENT_TYPE, origin)
    manifest = step.publish(
        snapshot=bronze.snapshot,
        source=source,
        objects=tuple(contents),
        rejected=quarantine,
        checks=(Check(name=EQUATION, expected=bronze.rows_out, found=accounted),),
        rows_in=bronze.rows_out,
        rows_out=rows_out,
        rows_rejected=len(rejected),
        rows_duplicate=duplicates,
    )
    removed = _remove_unnamed(step.lake, manifest, there)
    return step.summary(
        manifest, locations=len(contents), objects_written=written, objects_removed=removed
    )


def verify(step: Step) -> None:
    """Read every object that the manifest names, as a reader would, and count.

    Raises:
        CheckFailed, LakeError: silver is not what its manifest says.
    """
    manifest, _ = step.lake.manifest(SILVER)

    def ids(entry: StoredObject) -> pa.ChunkedArray:
        content = step.lake.read("silver", entry)
        return parquet.read(f"silver/{entry.key}", content, entry, SCHEMA)["id"]

    chunks = [chunk for column in step.lake.each(ids, manifest.objects) for chunk in column.chunks]
    distinct = pc.count_distinct(pa.chunked_array(chunks, pa.string())).as_py()
    if distinct != manifest.rows_out:
        raise CheckFailed("the number of distinct ids in silver", manifest.rows_out, distinct)


def _clean(texts: Iterator[str]) -> tuple[pa.Table, list[Rejected]]:
    tables, rejected, start = [CLEAN_SCHEMA.empty_table()], list[Rejected](), 0
    while batch := list(islice(texts, BATCH)):
        table, unusable = clean(batch, start)
        tables.append(table)
        rejected += unusable
        start += len(batch)
    return pa.concat_tables(tables), rejected


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


def _store_missing(lake: Lake, contents: dict[StoredObject, bytes], there: dict[str, int]) -> int:
    """Store the files that are not there yet; a name says its content, so the rest is equal."""
    missing = [entry for entry in contents if there.get(entry.key) != entry.bytes]
    lake.each(
        lambda entry: lake.put("silver", entry.key, contents[entry], parquet.CONTENT_TYPE), missing
    )
    return len(missing)


def _quarantine(rejected: Iterable[Rejected]) -> tuple[StoredObject, bytes]:
    lines = [row.to_json() for row in rejected]
    content = b"".join(array_lines(lines))
    entry = StoredObject(
        key=REJECTED_OBJECT, rows=len(lines), bytes=len(content), sha256=sha256(content)
    )
    return entry, content


def _remove_unnamed(lake: Lake, manifest: Manifest, there: Iterable[str]) -> int:
    """Remove what the manifest does not name: the version before, and crashes' leavings."""
    named = {entry.key for entry in manifest.objects} | {SILVER.manifest}
    unnamed = [key for key in there if key not in named]
    lake.remove("silver", unnamed)
    return len(unnamed)
