"""Parquet in memory: equal rows give equal bytes, and a read checks the columns."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ColumnsDiffer, ObjectDiffers, ObjectUnreadable
from .manifest import StoredObject

CONTENT_TYPE = "application/vnd.apache.parquet"


def encode(table: pa.Table) -> bytes:
    """A zstd Parquet file of a table; it does not depend on the table's chunks."""
    sink = pa.BufferOutputStream()
    # Files are small, and dictionaries would make them larger.
    pq.write_table(table.combine_chunks(), sink, compression="zstd", use_dictionary=False)
    return bytes(sink.getvalue())


def decode(
    name: str,
    content: bytes,
    entry: StoredObject,
    columns: Iterable[pa.Field],
    missing_as_null: bool = False,
) -> pa.Table:
    """Read columns of a file that a manifest names, in the types that they must have.

    `missing_as_null` says whether a missing column is null, as in a file of an older table.

    Raises:
        ColumnsDiffer: a column is missing or has another type.
        ObjectDiffers: the number of rows differs.
        ObjectUnreadable: the file is not Parquet.
    """
    schema = pa.schema(columns)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        found = {field.name: field.type for field in file.schema_arrow}
        needed = [field for field in schema if field.name in found or not missing_as_null]
        wrong = [field for field in needed if found.get(field.name) != field.type]
        if wrong:
            raise ColumnsDiffer(name, [f"{field.name} ({field.type})" for field in wrong])
        # Objects are small, and several are read at a time, so Arrow's own threads only cost time.
        table = file.read(columns=[field.name for field in needed], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ObjectUnreadable(name, str(error)) from None
    if len(table) != entry.rows:
        raise ObjectDiffers(name, "rows", entry.rows, len(table))
    for field in schema:
        if field not in needed:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return pa.table(table.select(schema.names).columns, schema)
