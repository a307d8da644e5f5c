"""Gold: how many breweries there are of each type in each location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from . import parquet
from .cleaning import SCHEMA as SILVER_SCHEMA
from .datasets import GOLD, GOLD_OBJECT, SILVER
from .errors import AccountingBroken, CheckFailed
from .lake import Lake, Version
from .manifest import Check, StoredObject
from .partitions import location
from .steps import Step, Summary

Group = tuple[str, str, str | None]
"""Country, state and type; a type may be missing."""

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
    version, counts = step.lake.follow(SILVER, lambda version: _count(step.lake, version))
    silver, source = version.manifest, version.source
    counted = counts.total()
    if counted != silver.rows_out:
        raise AccountingBroken(EQUATION, counted, silver.rows_out)

    table = table_of(counts)
    content = parquet.write(table)
    entry = StoredObject.of(GOLD_OBJECT, len(table), content)
    snapshot = silver.snapshot
    written = step.store(entry, content, parquet.CONTENT_TYPE, snapshot, source, silver.rows_out)
    manifest = step.publish(
        snapshot=silver.snapshot,
        source=source,
        objects=(entry,),
        checks=(Check(name=EQUATION, expected=silver.rows_out, found=counted),),
        rows_in=silver.rows_out,
        rows_out=len(table),
    )
    return step.summary(manifest, breweries=counted, objects_written=int(written))


def table_of(counts: Mapping[Group, int]) -> pa.Table:
    """Counts by country, state and type to a table of `SCHEMA`, sorted by them."""
    rows = [dict(zip(SCHEMA.names, (*key, count), strict=True)) for key, count in counts.items()]
    return pa.Table.from_pylist(rows, SCHEMA).sort_by([(name, "ascending") for name in KEYS])


def read(lake: Lake) -> tuple[pa.Table, Version]:
    """The published table, and which version it is.

    Raises:
        LakeError: gold is missing, or not what its manifest says.
    """

    def table(version: Version) -> tuple[pa.Table, Version]:
        entry = version.manifest.only_object()
        content = lake.read("gold", entry)
        return parquet.read(f"gold/{entry.key}", content, entry, SCHEMA), version

    return lake.follow(GOLD, table)


def verify(lake: Lake) -> None:
    """Read the table as a reader would, and add up.

    Raises:
        CheckFailed, LakeError: gold is not what its manifest says.
    """
    table, version = read(lake)
    total = sum(table["brewery_count"].to_pylist())
    if total != version.manifest.rows_in:
        raise CheckFailed("the sum of brewery_count", version.manifest.rows_in, total)
    groups = len(table.group_by(KEYS).aggregate([]))
    if groups != len(table):
        raise CheckFailed("the number of distinct groups in gold", len(table), groups)


def _count(lake: Lake, version: Version) -> tuple[Version, Counter[Group]]:
    """The rows of silver by country, state and type."""
    counts = Counter[Group]()
    for found in lake.each(lambda entry: _count_object(lake, entry), version.manifest.objects):
        counts.update(found)
    return version, counts


def _count_object(lake: Lake, entry: StoredObject) -> Counter[Group]:
    """The rows of a silver object by type; its location stands in its key."""
    columns = [SILVER_SCHEMA.field("brewery_type")]
    content = lake.read("silver", entry)
    types = parquet.read(f"silver/{entry.key}", content, entry, columns)["brewery_type"]
    place = location(entry.key)
    return Counter({(*place, kind): count for kind, count in Counter(types.to_pylist()).items()})
