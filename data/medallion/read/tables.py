"""A whole version of a dataset as an Arrow table, checked against its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..flow import Flow
from ..flows import load_all
from ..lake import parquet
from ..lake.datasets import Dataset
from ..lake.errors import ObjectDiffers, ObjectMissing, ObjectUnreadable
from ..lake.partitions import Partitioning
from ..lake.records import REJECTED_LINE, record_texts
from ..lake.versions import Lake, Stat, Version
from ..layers import gold
from ..layers.comparison import read_located
from .errors import ColumnUnknown, DatasetUnknown, HalfPublished, ValueOfOtherType

RECORDS = pa.schema([("position", pa.int64()), ("record", pa.string())])
"""Bronze: where each record stands, and its JSON as received."""
REJECTED = pa.schema([("reason", pa.string()), *RECORDS])
BATCH = 5_000  # records that are Python objects at a time

Where = Mapping[str, Any]
"""Columns to the value that they must have, or to a list of such values."""


def named(path: str) -> tuple[Flow, Dataset]:
    """A dataset of the project by layer and name, such as "silver/stations", and its flow.

    Raises:
        DatasetUnknown: there is none.
        FlowError: a flow of the project cannot be.
    """
    known = {dataset.path: (flow, dataset) for flow in load_all() for dataset in flow.datasets}
    if path not in known:
        raise DatasetUnknown(path, [*known])
    return known[path]


def schema_of(flow: Flow, dataset: Dataset) -> pa.Schema:
    """The columns of a dataset's table.

    Raises:
        DatasetUnknown: it is a picture.
    """
    if dataset == flow.chart:
        raise DatasetUnknown(dataset.path, [d.path for d in flow.datasets if d != flow.chart])
    if dataset.layer == "bronze":
        return RECORDS
    if dataset.layer == "silver":
        return flow.table.located_schema
    aggregate = next(a for a in flow.aggregates if a.name == dataset.name)
    return gold.schema_of(flow.table, aggregate)


def rows(
    lake: Lake, flow: Flow, dataset: Dataset, columns: Sequence[str] | None, where: Where
) -> pa.Table:
    """Rows of a dataset's published version; read anew where that was replaced meanwhile.

    Args:
        lake: to read.
        flow: whose dataset it is.
        dataset: the table.
        columns: those to give, in this order; None for all.
        where: which rows; objects of other partitions are not fetched.

    Raises:
        ReadError: there is no such table or column.
        LakeError: it is not published, or not what its manifest says.
    """
    schema = schema_of(flow, dataset)
    names = schema.names if columns is None else list(columns)
    for name in (*names, *where):
        if name not in schema.names:
            raise ColumnUnknown(dataset.path, name, schema.names)
    wanted = {name: _values(schema.field(name), value) for name, value in where.items()}
    read = pa.schema([field for field in schema if field.name in {*names, *where}])

    def table(version: Version) -> pa.Table:
        found = _read(lake, flow, dataset, version, read, wanted)
        for name, values in wanted.items():
            found = found.filter(pc.is_in(found[name], value_set=values))
        told = {"run": version.manifest.run, "snapshot": version.manifest.snapshot}
        return found.select(names).replace_schema_metadata(told)

    return lake.follow(dataset, table)


def rejected(lake: Lake, flow: Flow) -> pa.Table:
    """The records that the published silver could not use; a million of them are 1 GB at most.

    Raises:
        HalfPublished, LakeError: they are missing, or not those of that version.
    """

    def table(version: Version) -> pa.Table:
        stat = beside(lake, flow.rejected, version)
        found = _records(lake.lines("silver", stat.entry), stat.key, REJECTED)
        if len(found) != version.manifest.rows_rejected:
            expected = version.manifest.rows_rejected
            raise ObjectDiffers(f"silver/{stat.key}", "rows", expected, len(found))
        return found

    return lake.follow(flow.silver, table)


def beside(lake: Lake, key: str, version: Version) -> Stat:
    """What an object beside silver says of itself.

    Raises:
        ObjectMissing, HalfPublished: it is not there, or of another version.
    """
    name, snapshot = f"silver/{key}", version.manifest.snapshot
    stat = lake.stat("silver", key)
    if stat is None:
        raise ObjectMissing(name)
    if stat.snapshot != snapshot:
        raise HalfPublished(name, stat.snapshot, snapshot)
    return stat


def _values(field: pa.Field, value: Any) -> pa.Array:
    many = isinstance(value, (list, tuple, set, frozenset))
    try:
        return pa.array(list(value) if many else [value], field.type)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ValueOfOtherType(field.name, str(field.type), str(error)) from None


def _read(
    lake: Lake,
    flow: Flow,
    dataset: Dataset,
    version: Version,
    schema: pa.Schema,
    wanted: Mapping[str, pa.Array],
) -> pa.Table:
    """Some columns of a version; of silver, from the objects of the wanted partitions."""
    manifest = version.manifest
    total = sum(entry.rows for entry in manifest.objects)
    if total != manifest.rows_out:
        name = f"{dataset.layer}/{dataset.manifest}"
        raise ObjectDiffers(name, "rows of its objects", manifest.rows_out, total)
    if dataset.layer == "silver":
        partitioning = Partitioning(flow.table.partition_schema)
        allowed = {name: set(values.to_pylist()) for name, values in wanted.items()}
        read = partial(read_located, lake, partitioning, schema)
        entries = [
            entry
            for entry in manifest.objects
            if all(
                value in allowed.get(name, {value})
                for name, value in partitioning.values(entry.key).items()
            )
        ]
        return pa.concat_tables([schema.empty_table(), *lake.store.each(read, entries)])
    entry = manifest.only_object()
    if dataset.layer == "gold":
        content = lake.read("gold", entry)
        return parquet.read(f"gold/{entry.key}", content, entry, schema)
    found = _records(lake.lines("bronze", entry), entry.key, RECORDS)
    if len(found) != entry.rows:
        raise ObjectDiffers(f"bronze/{entry.key}", "rows", entry.rows, len(found))
    return found.select(schema.names)


def _records(lines: Iterator[bytes], key: str, schema: pa.Schema) -> pa.Table:
    """The lake's JSON form as a table; what is in a record stays JSON."""
    texts, batches = enumerate(record_texts(lines)), [schema.empty_table()]
    while some := list(islice(texts, BATCH)):
        read = chain(_row(text, position, key, schema) for position, text in some)
        batches.append(pa.Table.from_pylist(list(read), schema))
    return pa.concat_tables(batches)


def _row(text: bytes, position: int, key: str, schema: pa.Schema) -> dict[str, Any]:
    if schema is RECORDS:
        return {"position": position, "record": text.decode()}
    found = REJECTED_LINE.fullmatch(text)
    if not found:
        raise ObjectUnreadable(f"silver/{key}", f"line {position + 2} is no rejected record")
    reason, where, record = found.groups()
    return {"reason": json.loads(reason), "position": int(where), "record": record.decode()}
