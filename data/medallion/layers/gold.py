"""Gold: silver's rows in groups, one table per aggregate of the flow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter

import pyarrow as pa

from ..flow import Aggregate, Flow
from ..lake import parquet
from ..lake.batches import grouped
from ..lake.datasets import Dataset
from ..lake.manifest import Check, StoredObject
from ..lake.metadata import Origin
from ..lake.versions import Lake, Version
from ..report.publishing import publish
from ..table import Table
from ..writer import Step, Summary, View
from . import aggregation
from .errors import AccountingBroken, CheckFailed

ROWS_AT_ONCE = 1_000_000
"""The weight of the silver objects that one task groups."""


def aggregate(step: Step) -> Summary:
    """Group silver's rows and publish each table; then the page, if the flow has no chart.

    Raises:
        LakeError: silver is missing or differs from its manifest.
        AccountingBroken: a row appeared or vanished; nothing was published.
    """
    flow = step.flow
    version, tables = step.lake.follow(flow.silver, lambda version: _tables(step, version))
    silver = version.manifest
    checks = [
        _added_up(a, t, silver.rows_out) for a, t in zip(flow.aggregates, tables, strict=True)
    ]
    origin = Origin(step.run, silver.snapshot, version.source, silver.rows_out)
    count = 0
    manifests = []
    for writer, table, check in zip(step.writers, tables, checks, strict=True):
        content = parquet.write(table)
        entry = StoredObject.of(str(writer.dataset.object), len(table), content)
        manifest, written = writer.publish_object(
            entry, content, parquet.CONTENT_TYPE, origin, (check,)
        )
        manifests.append(manifest)
        count += written
    rows = {m.dataset: m.rows_out for m in manifests}
    more = {} if flow.drawing else {"report": publish(step, origin)}
    return step.writer.summary(manifests[0], tables=rows, objects_written=count, **more)


def schema_of(table: Table, aggregate: Aggregate) -> pa.Schema:
    """The columns of a gold table: its keys, then its measures."""
    keys = [table[name].field for name in aggregate.keys]
    return pa.schema([*keys, *(aggregation.field_of(table, m) for m in aggregate.measures)])


def read(lake: Lake, flow: Flow, name: str) -> tuple[pa.Table, Version]:
    """Read a published gold table; returns the table and its version.

    Raises:
        LakeError: gold is missing or differs from its manifest.
    """
    aggregate, dataset = _named(flow, name)
    schema = schema_of(flow.table, aggregate)

    def table(version: Version) -> tuple[pa.Table, Version]:
        entry = version.manifest.only_object()
        content = lake.read("gold", entry)
        return parquet.read(f"gold/{entry.key}", content, entry, schema), version

    return lake.follow(dataset, table)


def verify(view: View) -> None:
    """Read each table as a reader would; check its total and that its groups are distinct.

    Raises:
        CheckFailed, LakeError: gold differs from its manifest.
    """
    for aggregate in view.flow.aggregates:
        table, version = read(view.lake, view.flow, aggregate.name)
        total = sum(table[aggregate.count].to_pylist())
        if total != version.manifest.rows_in:
            what = f"the sum of {aggregate.count} in {aggregate.name}"
            raise CheckFailed(what, version.manifest.rows_in, total)
        groups = len(table.group_by(list(aggregate.keys)).aggregate([]))
        if groups != len(table):
            what = f"the number of distinct groups in {aggregate.name}"
            raise CheckFailed(what, len(table), groups)


def _tables(step: Step, version: Version) -> tuple[Version, list[pa.Table]]:
    """Group silver's rows; returns the version and one table per aggregate."""
    flow = step.flow
    tasks = [
        partial(
            aggregation.group_objects, table=flow.table, aggregates=flow.aggregates, entries=group
        )
        for group in grouped(version.manifest.objects, attrgetter("weight"), ROWS_AT_ONCE)
    ]
    found = list(step.engine.run(tasks, "grouping silver"))
    return version, [
        aggregation.joined(flow.table, aggregate, [groups[n] for groups in found]).select(
            schema_of(flow.table, aggregate).names
        )
        for n, aggregate in enumerate(flow.aggregates)
    ]


def _added_up(aggregate: Aggregate, table: pa.Table, rows: int) -> Check:
    equation = f"sum({aggregate.count}) = silver"
    counted = sum(table[aggregate.count].to_pylist())
    if counted != rows:
        raise AccountingBroken(equation, counted, rows)
    return Check(name=equation, expected=rows, found=counted)


def _named(flow: Flow, name: str) -> tuple[Aggregate, Dataset]:
    both: Sequence[tuple[Aggregate, Dataset]] = list(zip(flow.aggregates, flow.gold, strict=True))
    return next(pair for pair in both if pair[0].name == name)
