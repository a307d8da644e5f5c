"""Gold: how many breweries there are of each type in each location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from . import parquet
from .cleaning import SCHEMA as SILVER_SCHEMA
from .datasets import GOLD, GOLD_OBJECT, SILVER
from .errors import AccountingBroken, CheckFailed
from .lake import Lake
from .manifest import Check, Manifest, Source, StoredObject, sha256
from .partitions import location
from .steps import Step, Summary

KEYS = ("country", "state", "brewery_type")
SCHEMA = pa.schema(
    [*(pa.field(name, pa.string()) for name in KEYS), pa.field("brewery_count", pa.int64())]
)
EQUATION = "sum(brewery_count) = silver"


def aggregate(step: Step) -> Summary:
    """Count silver's rows by country, state and type, and publish the table.

    Raises:
        LakeError: silver is missing, or not what its manifest says.
        AccountingBroken: a row appeared or vanished; nothing was published.
    """
    silver, source = step.lake.manifest(SILVER)
    counts = Counter[tuple[str, str, str | None]]()
    for found in step.lake.each(lambda entry: _count(step.lake, entry), silver.objects):
        counts.update(found)
    counted = counts.total()
    if counted != silver.rows_out:
        raise AccountingBroken(EQUATION, counted, silver.rows_out)

    table = table_of(counts)
    content = parquet.write(table)
    entry = StoredObject(
        key=GOLD_OBJECT, rows=len(table), bytes=len(content), sha256=sha256(content)
    )
    origin = step.origin(silver.snapshot, source)
    written = step.lake.publish("gold", entry, content, parquet.CONTENT_TYPE, origin)
    manifest = step.publish(
        snapshot=silver.snapshot,
        source=source,
        objects=(entry,),
        checks=(Check(name=EQUATION, expected=silver.rows_out, found=counted),),
        rows_in=silver.rows_out,
        rows_out=len(table),
    )
    return step.summary(manifest, breweries=counted, objects_written=int(written))


def table_of(counts: Mapping[tuple[str, str, str | None], int]) -> pa.Table:
    """Counts by country, state and type to a table of `SCHEMA`, sorted by them."""
    rows = [dict(zip(SCHEMA.names, (*key, count), strict=True)) for key, count in counts.items()]
    return pa.Table.from_pylist(rows, SCHEMA).sort_by([(name, "ascending") for name in KEYS])


def read(lake: Lake) -> tuple[pa.Table, Manifest, Source]:
    """The published table, its manifest, and the same as the source of what is made from it.

    Raises:
        LakeError: gold is missing, or not what its manifest says.
    """
    manifest, source = lake.manifest(GOLD)
    entry = manifest.only_object()
    content = lake.read("gold", entry)
    return parquet.read(f"gold/{entry.key}", content, entry, SCHEMA), manifest, source


def verify(step: Step) -> None:
    """Read the table as a reader would, and add up.

    Raises:
        CheckFailed, LakeError: gold is not what its manifest says.
    """
    table, manifest, _ = read(step.lake)
    total = sum(table["brewery_count"].to_pylist())
    if total != manifest.rows_in:
        raise CheckFailed("the sum of brewery_count", manifest.rows_in, total)
    groups = len(table.group_by(KEYS).aggregate([]))
    if groups != len(table):
        raise CheckFailed("the number of distinct groups in gold", len(table), groups)


def _count(lake: Lake, entry: StoredObject) -> Counter[tuple[str, str, str | None]]:
    """The rows of a silver object by type; its location stands in its key."""
    columns = [SILVER_SCHEMA.field("brewery_type")]
    content = lake.read("silver", entry)
    types = parquet.read(f"silver/{entry.key}", content, entry, columns)["brewery_type"]
    place = location(entry.key)
    return Counter({(*place, kind): count for kind, count in Counter(types.to_pylist()).items()})
