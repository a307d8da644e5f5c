"""Gold: silver's rows in groups, one table per aggregate of the flow."""

from __future__ import annotations

from functools import partial
from operator import attrgetter

import pyarrow as pa

from ..context import FlowContext, Summary
from ..flow import Aggregate, Flow
from ..lake import parquet
from ..lake.batches import grouped
from ..lake.datasets import Dataset
from ..lake.lake import Lake
from ..lake.manifest import Check, Manifest
from ..report.publishing import keep_page, with_page
from ..step import Step
from ..table import Table, declared
from ..work.shuffle import buckets_for, segments_of
from ..writer import Provenance, made_from_expired
from . import aggregation
from .errors import AccountingBroken, CheckFailed
from .silver.compare import check_keys

ROWS_AT_ONCE = 1_000_000  # the weight of the silver objects that one task groups


def aggregate(step: Step) -> Summary:
    """Group silver's rows and publish each table; then the page, if the flow has no chart.

    Raises:
        LakeError, CheckFailed: silver is missing or differs from its manifest.
        AccountingBroken: a row appeared or vanished; nothing was published.
    """
    flow = step.flow
    silver, tables = step.lake.read_current(flow.silver, lambda version: _tables(step, version))
    checks = [
        _added_up(a, t, silver.rows_out) for a, t in zip(flow.aggregates, tables, strict=True)
    ]
    is_over = made_from_expired(flow.silver, silver)
    manifests, more = list[Manifest](), dict[str, str]()
    # The page belongs to the first table, so it is made when the others are published.
    for writer, table, check in reversed(list(zip(step.writers, tables, checks, strict=True))):
        content, fixed = parquet.encode(table), str(writer.dataset.object)
        copy = writer.store_copied(fixed, content, len(table), parquet.CONTENT_TYPE)
        manifest = writer.manifest(
            Provenance.of(flow.silver, silver),
            objects=(copy.object,),
            copies=(copy,),
            checks=(check,),
            rows_out=len(table),
        )
        if flow.report in writer.dataset.sidecars:
            manifest, page = with_page(step, manifest, manifests)
            more["report"] = keep_page(step, page)
        manifests.append(writer.publish(manifest, is_over))
    count = sum(writer.objects_written for writer in step.writers)
    rows = {m.dataset: m.rows_out for m in reversed(manifests)}
    return step.writer.summary(manifests[-1], tables=rows, objects_written=count, **more)


def schema_of(table: Table, aggregate: Aggregate) -> pa.Schema:
    """The columns of a gold table: its keys, then its measures."""
    return pa.schema([column.field for column in aggregate.columns(table)])


def read_table(lake: Lake, flow: Flow, name: str) -> tuple[pa.Table, Manifest]:
    """Read a published gold table; returns it and its version. Errors as of `Lake.read_current`."""
    aggregate, dataset = named(flow, name)
    schema = schema_of(flow.table, aggregate)

    def table(version: Manifest) -> tuple[pa.Table, Manifest]:
        entry = version.only_object()
        content = lake.read("gold", entry)
        return parquet.decode(f"gold/{entry.key}", content, entry, schema), version

    return lake.read_current(dataset, table)


def verify(context: FlowContext, dataset: Dataset) -> None:
    """Check a table's total, and that its groups are distinct; CheckFailed or LakeError if not."""
    aggregate, _ = named(context.flow, dataset.name)
    table, version = read_table(context.lake, context.flow, aggregate.name)
    total = sum(table[aggregate.count].to_pylist())
    if total != version.rows_in:
        what = f"the sum of {aggregate.count} in {aggregate.name}"
        raise CheckFailed(what, version.rows_in, total)
    groups = len(table.group_by(list(aggregate.keys)).aggregate([]))
    if groups != len(table):
        what = f"the number of distinct groups in {aggregate.name}"
        raise CheckFailed(what, len(table), groups)


def _tables(step: Step, version: Manifest) -> tuple[Manifest, list[pa.Table]]:
    """Check that silver's keys are distinct; returns the version and one table per aggregate."""
    flow, tables = step.flow, step.flow.aggregates
    buckets = buckets_for(version.rows_out, aggregation.HASHES_AT_ONCE)
    group = partial(aggregation.group_objects, table=flow.table, aggregates=tables, buckets=buckets)
    batches = grouped(version.objects, attrgetter("weight"), ROWS_AT_ONCE)
    tasks = [
        partial(group, entries=entries, name=f"keys-{number:06}")
        for number, entries in enumerate(batches)
    ]
    found = list(step.engine.run(tasks, "grouping silver"))
    keys = [file for _, file in found]
    tasks_of_keys = [
        partial(aggregation.count_distinct, segments=segments_of(keys, bucket))
        for bucket in range(buckets)
    ]
    if sum(step.engine.run(tasks_of_keys, "counting silver's keys")) != version.rows_out:
        check_keys(step, version)  # two keys may share a hash
    return version, [
        declared(
            aggregation.join_groups(
                schema_of(flow.table, one), one, [groups[n] for groups, _ in found]
            ),
            one.columns(flow.table),
        )
        for n, one in enumerate(tables)
    ]


def _added_up(aggregate: Aggregate, table: pa.Table, rows: int) -> Check:
    equation = f"sum({aggregate.count}) = silver"
    counted = sum(table[aggregate.count].to_pylist())
    if counted != rows:
        raise AccountingBroken(equation, counted, rows)
    return Check(name=equation, expected=rows, found=counted)


def named(flow: Flow, name: str) -> tuple[Aggregate, Dataset]:
    """A gold table and its dataset, by the name of both."""
    both = zip(flow.aggregates, flow.gold, strict=True)
    return next(pair for pair in both if pair[0].name == name)
