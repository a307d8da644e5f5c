"""Parquet in memory: written so that equal rows are equal bytes, read with its columns checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ColumnsDiffer, ObjectDiffers, ObjectUnreadable
from .manifest import StoredObject

CONTENT_TYPE = "application/vnd.apache.parquet"


def write(table: pa.Table) -> bytes:
    """One zstd Parquet file; a table's chunks do not show in it."""
    sink = pa.BufferOutputStream()
    # Locations are small: dictionaries and Arrow's own copy of the schema would be half the file.
    pq.write_table(
        table.combine_chunks(), sink, compression="zstd", use_dictionary=False, store_schema=False
    )
    return bytes(sink.getvalue())


def read(
    name: str,
    content: bytes,
    entry: StoredObject,
    columns: Iterable[pa.Field],
    missing_as_null: bool = False,
) -> pa.Table:
    """Some columns of a file that a manifest names.

    Args:
        name: the object's, for errors: `<layer>/<key>`.
        content: the file.
        entry: what the manifest says of it.
        columns: those to read, with the types they must have.
        missing_as_null: whether it may lack some, having been written with fewer columns.

    Raises:
        ColumnsDiffer, ObjectDiffers: a column or a type differs, or the number of rows.
        ObjectUnreadable: it is no Parquet.
    """
    with _readable(name):
        file = pq.ParquetFile(pa.BufferReader(content))
    schema = pa.schema(columns)
    found = {field.name: str(field.type) for field in file.schema_arrow}
    expected = {
        field.name: str(field.type)
        for field in schema
        if field.name in found or not missing_as_null
    }
    if any(found.get(column) != kind for column, kind in expected.items()):
        raise ColumnsDiffer(name, expected, found)
    with _readable(name):
        # Objects are small and read several at a time; threads of Arrow's own only cost.
        table = file.read(columns=list(expected), use_threads=False)
    if len(table) != entry.rows:
        raise ObjectDiffers(name, "rows", entry.rows, len(table))
    for field in schema:
        if field.name not in expected:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ObjectUnreadable(name, str(error)) from None
