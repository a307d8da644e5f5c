"""Gold: how many breweries there are of each type in each location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from operator import attrgetter

import pyarrow as pa

from ...breweries.table import KIND, LOCATION
from ...breweries.table import SCHEMA as SILVER_SCHEMA
from ..errors import AccountingBroken, CheckFailed
from ..lake import parquet
from ..lake.datasets import GOLD, GOLD_OBJECT, SILVER
from ..lake.manifest import Check, StoredObject
from ..lake.partitions import location
from ..lake.versions import Lake, Version
from ..steps import Step, Summary, View
from ..work.shuffle import Place, grouped

Group = tuple[str, str, str | None]
"""Country, state and type; a type may be missing."""

KEYS = (*LOCATION, KIND)
SCHEMA = pa.schema(
    [*(pa.field(name, pa.string()) for name in KEYS), pa.field("brewery_count", pa.int64())]
)
ROWS_AT_ONCE = 1_000_000
"""Rows of silver that one task counts."""

EQUATION = "sum(brewery_count) = silver"


def aggregate(step: Step) -> Summary:
    """Count silver's rows by country, state and type, and publish the table.

    Raises:
        LakeError: silver is missing, or not what its manifest says.
        AccountingBroken: a row appeared or vanished; nothing was published.
    """
    version, counts = step.lake.follow(SILVER, lambda version: _count(step, version))
    silver, source = version.manifest, version.source
    counted = counts.total()
    if counted != silver.rows_out:
        raise AccountingBroken(EQUATION, counted, silver.rows_out)

    table = table_of(counts)
    content = parquet.write(table)
    entry = StoredObject.of(GOLD_OBJECT, len(table), content)
    manifest, written = step.publish_object(
        entry,
        content,
        parquet.CONTENT_TYPE,
        snapshot=silver.snapshot,
        source=source,
        rows_in=silver.rows_out,
        checks=(Check(name=EQUATION, expected=silver.rows_out, found=counted),),
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


def verify(view: View) -> None:
    """Read the table as a reader would, and add up.

    Raises:
        CheckFailed, LakeError: gold is not what its manifest says.
    """
    table, version = read(view.lake)
    total = sum(table["brewery_count"].to_pylist())
    if total != version.manifest.rows_in:
        raise CheckFailed("the sum of brewery_count", version.manifest.rows_in, total)
    groups = len(table.group_by(KEYS).aggregate([]))
    if groups != len(table):
        raise CheckFailed("the number of distinct groups in gold", len(table), groups)


def _count(step: Step, version: Version) -> tuple[Version, Counter[Group]]:
    """The rows of silver by country, state and type."""
    tasks = [
        partial(count_types, entries=group)
        for group in grouped(version.manifest.objects, attrgetter("rows"), ROWS_AT_ONCE)
    ]
    counts = Counter[Group]()
    for found in step.engine.run(tasks, "counting silver"):
        counts.update(found)
    return version, counts


def count_types(place: Place, entries: Sequence[StoredObject]) -> Counter[Group]:
    """The rows of some silver objects by type; their location stands in their key.

    Raises:
        LakeError: an object is not what its manifest says.
    """
    columns = [SILVER_SCHEMA.field(KIND)]

    def types(entry: StoredObject) -> pa.StructArray:
        content = place.lake.read("silver", entry)
        return parquet.read(f"silver/{entry.key}", content, entry, columns)[KIND].value_counts()

    counts = Counter[Group]()
    for entry, counted in zip(entries, place.lake.each(types, entries), strict=True):
        for found in counted.to_pylist():
            counts[(*location(entry.key), found["values"])] += found["counts"]
    return counts
