"""The tasks between bronze and silver. Any machine can run any task.

Each range of bronze is cleaned and scattered twice: its rows by partition, its keys by hash. A
bucket of keys shows which rows are superseded by a later one. A bucket of rows becomes files. The
files depend only on the data: not on the ranges, the buckets or the machines.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import starmap

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..flow import Flow
from ..lake import parquet
from ..lake.batches import in_threads
from ..lake.manifest import Profile, StoredObject, sha256
from ..lake.partitions import Partition, Partitioning, text_of
from ..lake.versions import Lake
from ..table import POSITION, Table, declared, texts_of
from ..work.shuffle import Buckets, Segment, ShuffleFile, TaskContext, buckets_of, gather, scatter
from . import drift
from .cleaning import Cleaner
from .drift import Seen
from .ranges import Range, lines_of

ROWS_PER_FILE = 250_000  # rows per Parquet file, at most; about 20 MB

File = tuple[StoredObject, bytes, pa.Table]
"""A silver file: its object, its content and its rows."""

REJECTED_SCHEMA = pa.schema(
    [("record", pa.string()), ("reason", pa.string()), (POSITION, pa.int64())]
)


@dataclass(frozen=True)
class CleanedRange:
    """A cleaned range: shuffle files of the usable rows, of their keys, and of the rejects."""

    records: int
    rows: ShuffleFile
    keys: ShuffleFile
    rejected: ShuffleFile
    unusable: int
    by_partition: Counter[Partition]
    seen: Seen


@dataclass(frozen=True)
class Work:
    """The work of one write task: all segments of a bucket, and the partitions in it."""

    segments: Sequence[Segment]
    files: Mapping[Partition, int]
    """Partition to its number of files; rows are divided by key."""


@dataclass(frozen=True)
class Written:
    """Written partitions: their objects, and their profile."""

    objects: tuple[StoredObject, ...]
    stored: Mapping[str, str]
    """The keys of those that were stored now, to the MD5 of their content."""
    profile: Profile
    new: ShuffleFile
    """The rows of objects that the previous version lacks, by key; empty for the first version."""


@dataclass(frozen=True)
class Silver:
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
    def of(cls, flow: Flow, writer: str = "", buckets: int = 1, key_buckets: int = 1) -> Silver:
        """The silver of a flow; the other arguments are its fields."""
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

    def folder(self, partition: Partition) -> str:
        """The folder of a partition's objects, relative to the S3 bucket."""
        return f"{self.prefix}{self.partitioning.path(partition)}"


def clean_range(
    context: TaskContext, silver: Silver, span: Range, name: str, first: int
) -> CleanedRange:
    """Clean the records of a range, into shuffle files of a name.

    `first` is the position of its first record; later ranges have greater positions. Errors as of
    `lines_of`.
    """
    tables, rejected, batches, records = [silver.table.clean_schema.empty_table()], [], [], 0
    refused = set[bytes]()
    for lines in lines_of(context, span):
        table, some, seen = silver.cleaner(lines, first + records, refused)
        tables.append(table)
        rejected += [vars(row) for row in some]
        batches.append(seen)
        records += len(lines)
    rows = pa.concat_tables(tables)
    unusable = pa.Table.from_pylist(rejected, REJECTED_SCHEMA)
    partitions = _partitions(silver, rows)
    newest = [rows[silver.table.newest]] if silver.table.newest else []
    columns = [texts_of(rows, silver.table.keys), rows[POSITION], partitions, *newest]
    keys = pa.table(columns, silver.keys_schema)
    scratch, buckets, of_text = context.scratch, silver.buckets, silver.partitioning.of_text
    by_partition, one = _by_partition(partitions, buckets), buckets_of(unusable[POSITION], 1)
    counted = partitions.value_counts().to_pylist()
    return CleanedRange(
        records=records,
        rows=scatter(scratch, f"{name}-rows", rows, by_partition, buckets),
        keys=scatter(scratch, f"{name}-keys", keys, buckets_of(keys["key"], buckets), buckets),
        rejected=scatter(scratch, f"{name}-rejected", unusable, one, 1),
        unusable=len(rejected),
        by_partition=Counter({of_text(found["values"]): found["counts"] for found in counted}),
        seen=drift.seen_in_all(batches),
    )


def superseded(
    context: TaskContext, silver: Silver, segments: Sequence[Segment]
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of superseded rows, by partition, for the keys of one hash bucket.

    Of rows with the same key, the newest is kept; else the last, because data may change during a
    crawl.
    """
    keys, kept = gather(context.scratch, segments, silver.keys_schema), "max"
    if silver.table.newest:
        order = [("newest", "ascending", "at_start"), (POSITION, "ascending")]
        keys, kept = keys.take(pc.sort_indices(keys, order)), "last"
    groups = keys.group_by("key", use_threads=kept == "max").aggregate([(POSITION, kept)])
    last = groups[f"{POSITION}_{kept}"]
    if len(last) == len(keys):
        return {}
    earlier = keys.filter(pc.invert(pc.is_in(keys[POSITION], value_set=last.combine_chunks())))
    earlier = earlier.set_column(2, "partition", earlier["partition"].cast(pa.string()))
    found = earlier.group_by("partition").aggregate([(POSITION, "list")]).to_pylist()
    of_text = silver.partitioning.of_text
    return {of_text(row["partition"]): np.array(row[f"{POSITION}_list"]) for row in found}


def split_bucket(
    context: TaskContext,
    silver: Silver,
    segments: Sequence[Segment],
    name: str,
    slots: Mapping[Partition, range],
    number: int,
) -> ShuffleFile:
    """Scatter segments of a bucket, too large for one task, into `number` slots of whole files.

    `slots` has the slots of each partition, one per file.
    """
    rows = gather(context.scratch, segments, silver.table.clean_schema)
    texts = _partitions(silver, rows)
    known = [slots[silver.partitioning.of_text(text)] for text in texts.dictionary.to_pylist()]
    first = np.array([span.start for span in known])[texts.indices.to_numpy()]
    files = np.array([len(span) for span in known])[texts.indices.to_numpy()]
    slot = first + _file(texts_of(rows, silver.table.keys), files)
    return scatter(context.scratch, name, rows, slot, number)


def write_partitions(
    context: TaskContext,
    silver: Silver,
    work: Work,
    name: str,
    without: npt.NDArray[np.int64],
    before: Collection[StoredObject] | None,
) -> Written:
    """Store a bucket's rows, as Parquet files of one partition each, sorted by key.

    A file that the previous version has too, and that is whole, is kept. `name` is that of the
    shuffle file of new rows, `without` has the positions of superseded rows, and `before` the
    previous version's objects of these partitions; it is None for the first version.
    """
    # Arrow sorts one chunk much faster than many.
    rows = gather(context.scratch, work.segments, silver.table.clean_schema).combine_chunks()
    if len(without):
        rows = rows.filter(pc.invert(pc.is_in(rows[POSITION], value_set=pa.array(without))))

    # Each file is made here, while threads store earlier ones.
    made = starmap(partial(_made, silver), _files(silver.table, rows, work.files))
    known = None if before is None else {content_of(entry): entry for entry in before}
    store = partial(_store, context.lake, known)
    done = list(in_threads(context.lake.store.connections, store, made))
    new = [rows for *_, rows in done if rows is not None]
    differing = pa.concat_tables([silver.table.located_schema.empty_table(), *new])
    by_key = buckets_of(texts_of(differing, silver.table.keys), silver.key_buckets)
    return Written(
        objects=tuple(entry for entry, *_ in done),
        stored={entry.key: md5 for entry, md5, _ in done if md5},
        profile=drift.profile_of(silver.table, rows),
        new=scatter(context.scratch, name, differing, by_key, silver.key_buckets),
    )


def _made(silver: Silver, partition: Partition, rows: pa.Table) -> File:
    """The file of some rows of a partition, named by the hash of its content and its writer."""
    stored = rows.select(silver.table.schema.names)
    content = parquet.write(declared(stored, silver.table.located))
    digest = sha256(content)
    key = f"{silver.folder(partition)}/{digest[:32]}-{silver.writer}.parquet"
    entry = StoredObject(key=key, rows=len(rows), bytes=len(content), sha256=digest)
    return entry, content, rows


def content_of(entry: StoredObject) -> tuple[str, str]:
    """What is in a silver object, whoever wrote it: its folder and its hash."""
    return entry.key.rpartition("/")[0], entry.sha256


def _store(
    lake: Lake, known: Mapping[tuple[str, str], StoredObject] | None, file: File
) -> tuple[StoredObject, str, pa.Table | None]:
    """Store a file, unless the previous version has it and it is whole.

    Returns:
        The object; its MD5 if it was stored; its rows if the previous version does not have them.
    """
    entry, content, rows = file
    before = known.get(content_of(entry)) if known else None
    if before and lake.problem("silver", before) is None:
        return before, "", None
    lake.store.put("silver", entry.key, content, parquet.CONTENT_TYPE)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return entry, md5, None if known is None or before else rows


def files_for(rows: int) -> int:
    """The number of files for some rows: a power of two, so that it changes rarely."""
    return 1 << (max(rows - 1, 0) // ROWS_PER_FILE).bit_length()


def bucket_of(partition: Partition, buckets: int) -> int:
    """The bucket of a partition's rows."""
    return int(buckets_of(pa.array([text_of(partition)]), buckets)[0])


def _partitions(silver: Silver, rows: pa.Table) -> pa.DictionaryArray:
    """The partition of each row as one text."""
    return silver.partitioning.texts(rows).combine_chunks().dictionary_encode()


def _by_partition(partitions: pa.DictionaryArray, buckets: int) -> Buckets:
    found: Buckets = buckets_of(partitions.dictionary, buckets)[partitions.indices.to_numpy()]
    return found


def _file(keys: pa.ChunkedArray, files: int | Buckets) -> Buckets:
    """The number of each row's file within its partition, by the CRC-32 of its key.

    It is the same in every release, so that files change only with the data.
    """
    texts = keys.cast(pa.binary()).to_pylist()
    return np.fromiter(map(zlib.crc32, texts), np.int64, len(texts)) & (files - 1)


def _files(
    table: Table, rows: pa.Table, files: Mapping[Partition, int]
) -> Iterator[tuple[Partition, pa.Table]]:
    """The rows of each file with their partition, sorted by key."""
    by_partition = [(name, "ascending") for name in table.partitions]
    ordered = rows.sort_by([*by_partition, *((name, "ascending") for name in table.keys)])
    # Arrow returns groups in no fixed order, not even in the order of the input.
    groups = ordered.group_by(list(table.partitions)).aggregate([([], "count_all")])
    start = 0
    for group in groups.sort_by(by_partition).to_pylist():
        partition = tuple(group[name] for name in table.partitions)
        count = group["count_all"]
        within = ordered.slice(start, count).select(table.located_schema.names)
        start += count
        if files[partition] == 1:
            yield partition, within
            continue
        numbers = _file(texts_of(within, table.keys), files[partition])
        for number in np.unique(numbers):
            yield partition, within.filter(pa.array(numbers == number))
