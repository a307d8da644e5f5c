"""Reads a whole version of a dataset into an Arrow table, and checks it against its manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..dictionary import RECORDS, REJECTED, columns_of
from ..flow import Flow
from ..lake import parquet
from ..lake.datasets import Dataset
from ..lake.errors import ObjectDiffers, ObjectMissing
from ..lake.lake import Lake
from ..lake.manifest import Manifest
from ..lake.partitions import Partitioning
from ..lake.records import record_texts, rejected_records
from ..layers.silver.compare import read_located
from ..project import load_all
from ..table import Column, declared
from .errors import ColumnUnknown, DatasetUnknown, ValueOfOtherType

BATCH = 5_000  # records to hold as Python objects at a time


def named(path: str) -> tuple[Flow, Dataset]:
    """Find a dataset and its flow by layer and name, such as "silver/stations".

    DatasetUnknown is raised if there is none, and FlowError if a flow of the project is invalid.
    """
    known = {dataset.path: (flow, dataset) for flow in load_all() for dataset in flow.datasets}
    if path not in known:
        raise DatasetUnknown(path, [*known])
    return known[path]


def rows(
    lake: Lake,
    flow: Flow,
    dataset: Dataset,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> pa.Table:
    """As `read.table`, for the published version of a lake."""
    tables, where = columns_of(flow), where or {}
    if dataset.path not in tables:  # a picture
        raise DatasetUnknown(dataset.path, [*tables])
    declarations = tables[dataset.path]
    schema = pa.schema([column.declared for column in declarations])
    names = schema.names if columns is None else list(columns)
    for name in (*names, *where):
        if name not in schema.names:
            raise ColumnUnknown(dataset.path, name, schema.names)
    wanted = {}
    for name, value in where.items():
        many = isinstance(value, (list, tuple, set, frozenset))
        of = schema.field(name).type
        try:
            wanted[name] = pa.array(list(value) if many else [value], of)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise ValueOfOtherType(name, str(of), str(error)) from None
    read = pa.schema([(f.name, f.type) for f in schema if f.name in {*names, *where}])

    def table(version: Manifest) -> pa.Table:
        found = _read(lake, flow, version, read, wanted)
        for name, values in wanted.items():
            found = found.filter(pc.is_in(found[name], value_set=values))
        found = declared(found.select(names), declarations)
        return found.replace_schema_metadata(_told(version))

    return lake.read_current(dataset, table)


def rejected(lake: Lake, flow: Flow) -> pa.Table:
    """As `read.rejected`, for the published version; a million rejects take at most 1 GB."""
    name = f"silver/{flow.rejected}"

    def table(version: Manifest) -> pa.Table:
        if (copy := version.copy_at(flow.rejected)) is None:
            raise ObjectMissing(name)
        records = rejected_records(lake.lines("silver", copy.object), name)
        found = _records(records, REJECTED, name, version.rows_rejected)
        return found.replace_schema_metadata(_told(version))

    return lake.read_current(flow.silver, table)


def _told(version: Manifest) -> dict[str, str]:
    return {name: str(getattr(version, name)) for name in ("version", "run", "snapshot")}


def _read(
    lake: Lake, flow: Flow, manifest: Manifest, schema: pa.Schema, wanted: Mapping[str, pa.Array]
) -> pa.Table:
    """Read columns of a version; of silver, only the objects of the wanted partitions."""
    total = sum(entry.rows for entry in manifest.objects)
    if total != manifest.rows_out:
        name = f"{manifest.layer}/{manifest.dataset}"
        raise ObjectDiffers(name, "rows of its objects", manifest.rows_out, total)
    if manifest.layer == "silver":
        partitioning = Partitioning(flow.table.partition_schema)
        entries = manifest.objects
        for name in wanted.keys() & set(flow.table.partitions):
            allowed = set(wanted[name].to_pylist())
            entries = tuple(e for e in entries if partitioning.values(e.key)[name] in allowed)
        found = read_located(lake, partitioning, schema, entries)
        return pa.concat_tables([schema.empty_table(), *found])
    entry = manifest.only_object()
    name = f"{manifest.layer}/{entry.key}"
    if manifest.layer == "bronze":
        records = enumerate(record_texts(lake.lines("bronze", entry)))
        return _records(records, RECORDS, name, entry.rows).select(schema.names)
    return parquet.decode(name, lake.read("gold", entry), entry, schema)


def _records(
    records: Iterator[Any], columns: Sequence[Column], name: str, expected: int
) -> pa.Table:
    """Put records, as tuples, into a table, and check that it has the expected number of rows."""
    schema = pa.schema([column.declared for column in columns])
    batches = [schema.empty_table()]
    while some := list(islice(records, BATCH)):
        batches.append(pa.table(list(zip(*some, strict=True)), schema))
    found = pa.concat_tables(batches)
    if len(found) != expected:
        raise ObjectDiffers(name, "rows", expected, len(found))
    return found
