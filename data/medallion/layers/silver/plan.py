"""How silver is divided, by its data alone: rows into hash buckets, partitions into files."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ...flow import Flow
from ...lake.manifest import StoredObject
from ...lake.partitions import Partition, Partitioning, text_of
from ...table import POSITION, Table
from ...work.shuffle import buckets_of
from .cleaner import Cleaner

READ_AT_ONCE = 200_000  # the weight of the published objects that one task reads
ROWS_PER_FILE = 250_000  # rows per Parquet file, at most; about 20 MB


@dataclass(frozen=True)
class Plan:
    """What the tasks need to know about a flow. It can be pickled."""

    table: Table
    cleaner: Cleaner
    prefix: str
    """The prefix of silver's objects."""
    writer: str = ""
    """The end of the names of new files; no other writer uses it."""
    buckets: int = 1
    """The number of hash buckets of the cleaned rows."""
    key_buckets: int = 1
    """The number of hash buckets of the rows to compare with another version."""

    @classmethod
    def of(cls, flow: Flow, writer: str = "", buckets: int = 1, key_buckets: int = 1) -> Plan:
        """The plan of a flow; the other arguments are its fields."""
        cleaner = Cleaner(flow.table, flow.clean)
        return cls(flow.table, cleaner, flow.silver.prefix, writer, buckets, key_buckets)

    @property
    def partitioning(self) -> Partitioning:
        """How silver's rows are partitioned."""
        return Partitioning(self.table.partition_schema)

    @property
    def keys_schema(self) -> pa.Schema:
        """The schema to find duplicates; the key is one text."""
        partition, newest = pa.dictionary(pa.int32(), pa.string()), self.table.newest
        fields = [("key", pa.string()), (POSITION, pa.int64()), ("partition", partition)]
        return pa.schema([*fields, ("newest", self.table[newest].field.type)] if newest else fields)

    def partitions_of(self, rows: pa.Table) -> pa.DictionaryArray:
        """The partition of each row as one text."""
        return self.partitioning.texts(rows).combine_chunks().dictionary_encode()

    def folder(self, partition: Partition) -> str:
        """The folder of a partition's objects, relative to the S3 bucket."""
        return f"{self.prefix}{self.partitioning.path(partition)}"


def content_of(entry: StoredObject) -> tuple[str, str]:
    """What is in a silver object, whoever wrote it: its folder and its hash."""
    return folder_of(entry), entry.sha256


def folder_of(entry: StoredObject) -> str:
    """The folder of a silver object, as of `Plan.folder`: each partition has one."""
    return entry.key.rpartition("/")[0]


def files_for(rows: int) -> int:
    """The number of files for some rows: a power of two, so that it changes rarely."""
    return 1 << (max(rows - 1, 0) // ROWS_PER_FILE).bit_length()


def bucket_of(partition: Partition, buckets: int) -> int:
    """The bucket of a partition's rows."""
    return int(buckets_of(pa.array([text_of(partition)]), buckets)[0])
