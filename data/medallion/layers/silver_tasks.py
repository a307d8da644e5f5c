"""The work between bronze and silver, cut into tasks that any machine can do.

Bronze's ranges are cleaned and scattered twice: the rows by partition, the keys by themselves. Each
bucket of keys tells which rows a later one supersedes; each bucket of rows becomes files. What is
written depends on the data alone: not on the ranges, the buckets, or who did which task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..flow import Flow
from ..lake import parquet
from ..lake.manifest import Profile, StoredObject, sha256
from ..lake.partitions import Partition, Partitioning, text_of
from ..table import POSITION, Table
from ..work.shuffle import Buckets, Part, Piece, Place, buckets_of, gather, hashes, scatter
from . import drift
from .cleaning import Cleaner
from .drift import Seen
from .ranges import Range, lines_of

ROWS_PER_FILE = 250_000
"""Rows of a Parquet file at most; about 20 MB."""

File = tuple[StoredObject, bytes, pa.Table]
"""A file of silver, its content, and the rows in it."""

REJECTED_SCHEMA = pa.schema(
    [("record", pa.string()), ("reason", pa.string()), (POSITION, pa.int64())]
)


@dataclass(frozen=True)
class CleanedRange:
    """What a range held: pieces of the usable rows, of their keys, and of the rejected records."""

    records: int
    rows: Piece
    keys: Piece
    rejected: Piece
    unusable: int
    by_partition: Counter[Partition]
    seen: Seen


@dataclass(frozen=True)
class Written:
    """Partitions in the store: their objects, how many are new there, what their rows are like."""

    objects: tuple[StoredObject, ...]
    stored: int
    profile: Profile
    new: Piece
    """The rows of objects that the version before has not, by key; empty if there was none."""


@dataclass(frozen=True)
class Silver:
    """What the tasks must know of a flow; it pickles."""

    table: Table
    cleaner: Cleaner
    prefix: str
    """Of its objects."""

    @classmethod
    def of(cls, flow: Flow) -> Silver:
        """Of a flow."""
        return cls(flow.table, Cleaner(flow.table, flow.clean), flow.silver.prefix)

    @property
    def partitioning(self) -> Partitioning:
        """How its rows are partitioned."""
        return Partitioning(self.table.partition_schema)

    @property
    def keys_schema(self) -> pa.Schema:
        """Of the keys alone, with what is needed to find duplicates."""
        text = pa.dictionary(pa.int32(), pa.string())
        return pa.schema(
            [
                pa.field("key", self.table[self.table.key].field.type),
                (POSITION, pa.int64()),
                ("partition", text),
            ]
        )

    def folder(self, partition: Partition) -> str:
        """Where a partition's objects stand, relative to the bucket."""
        return f"{self.prefix}{self.partitioning.path(partition)}"


def clean_range(
    place: Place, silver: Silver, span: Range, name: str, first: int, buckets: int
) -> CleanedRange:
    """Clean the records of a range.

    Args:
        place: where the task runs.
        silver: the flow's.
        span: the range.
        name: of the pieces.
        first: the position to give its first record; that of any later range is greater.
        buckets: how many to scatter into.

    Raises:
        ObjectMissing: the object was replaced.
        ObjectDiffers: the range is not what the manifest says.
    """
    tables, rejected, batches, records = [silver.table.clean_schema.empty_table()], [], [], 0
    refused = set[bytes]()
    for lines in lines_of(place, span):
        table, some, seen = silver.cleaner(lines, first + records, refused)
        tables.append(table)
        rejected += [vars(row) for row in some]
        batches.append(seen)
        records += len(lines)
    rows = pa.concat_tables(tables)
    unusable = pa.Table.from_pylist(rejected, REJECTED_SCHEMA)
    partitions = _partitions(silver, rows)
    keys = pa.table([rows[silver.table.key], rows[POSITION], partitions], silver.keys_schema)
    scratch = place.scratch
    by_partition = _by_partition(partitions, buckets)
    return CleanedRange(
        records=records,
        rows=scatter(scratch, f"{name}-rows", rows, by_partition, buckets),
        keys=scatter(scratch, f"{name}-keys", keys, buckets_of(keys["key"], buckets), buckets),
        rejected=scatter(scratch, f"{name}-rejected", unusable, _all_in_one(unusable), 1),
        unusable=len(rejected),
        by_partition=_count(silver, partitions),
        seen=drift.seen_in_all(batches),
    )


def superseded(
    place: Place, silver: Silver, parts: Sequence[Part]
) -> dict[Partition, npt.NDArray[np.int64]]:
    """The positions of rows whose key comes again later, by their partition, among some keys.

    The row received last is kept, since the data may change under a crawl.
    """
    keys = gather(place.scratch, parts, silver.keys_schema)
    last = keys.group_by("key").aggregate([(POSITION, "max")])[f"{POSITION}_max"]
    if len(last) == len(keys):
        return {}
    earlier = keys.filter(pc.invert(pc.is_in(keys[POSITION], value_set=last.combine_chunks())))
    earlier = earlier.set_column(2, "partition", earlier["partition"].cast(pa.string()))
    found = earlier.group_by("partition").aggregate([(POSITION, "list")]).to_pylist()
    of_text = silver.partitioning.of_text
    return {of_text(row["partition"]): np.array(row[f"{POSITION}_list"]) for row in found}


def split_bucket(
    place: Place,
    silver: Silver,
    parts: Sequence[Part],
    name: str,
    first_slots: Mapping[Partition, int],
    files: Mapping[Partition, int],
    slots: int,
) -> Piece:
    """Some parts of a bucket that is too large for one task, in slots of whole files.

    Args:
        place: where the task runs.
        silver: the flow's.
        parts: those whose rows it takes.
        name: of the new piece.
        first_slots: each partition to the slot of its first file.
        files: each partition to how many it has; its later ones are in the slots after.
        slots: how many there are.
    """
    rows = gather(place.scratch, parts, silver.table.clean_schema)
    texts = _partitions(silver, rows).combine_chunks()
    known = [silver.partitioning.of_text(text) for text in texts.dictionary.to_pylist()]
    first = np.array([first_slots[partition] for partition in known])[texts.indices.to_numpy()]
    number = np.array([files[partition] for partition in known])[texts.indices.to_numpy()]
    slot = first + _file(rows[silver.table.key], number)
    return scatter(place.scratch, name, rows, slot, slots)


def write_partitions(
    place: Place,
    silver: Silver,
    parts: Sequence[Part],
    without: npt.NDArray[np.int64],
    files: Mapping[Partition, int],
    stored: Mapping[str, str],
    name: str,
    before: Collection[str] | None,
    key_buckets: int,
) -> Written:
    """Store a bucket's rows, as Parquet files of one partition each, sorted by key.

    Args:
        place: where the task runs.
        silver: the flow's.
        parts: all of the bucket's.
        without: the positions of rows that are superseded.
        files: each partition to how many files its rows are divided into, by key.
        stored: the store's keys to ETags; a file that is there is not stored again.
        name: of the piece.
        before: the keys of the version before, if there is one.
        key_buckets: how many to scatter what is new into.
    """
    # Arrow sorts one chunk much faster than many.
    rows = gather(place.scratch, parts, silver.table.clean_schema).combine_chunks()
    if len(without):
        rows = rows.filter(pc.invert(pc.is_in(rows[POSITION], value_set=pa.array(without))))

    made = list(_files(silver, rows, files))
    missing = place.lake.store.each(partial(_store, place, stored), made)
    new = [part for entry, _, part in made if before is not None and entry.key not in before]
    differing = pa.concat_tables([silver.table.located_schema.empty_table(), *new])
    by_key = buckets_of(differing[silver.table.key], key_buckets)
    return Written(
        objects=tuple(entry for entry, *_ in made),
        stored=sum(missing),
        profile=drift.profile_of(silver.table, rows),
        new=scatter(place.scratch, name, differing, by_key, key_buckets),
    )


def _store(place: Place, stored: Mapping[str, str], file: File) -> bool:
    """Store a file unless it is there; whether it was missing."""
    entry, content, _ = file
    etag = stored.get(entry.key)
    missing = etag is None or not place.lake.holds("silver", entry, content, etag)
    if missing:
        place.lake.put_hashed("silver", entry, content, parquet.CONTENT_TYPE)
    return missing


def files_for(rows: int) -> int:
    """How many files so many rows are divided into: a power of two, so that it seldom changes."""
    return 1 << (max(rows - 1, 0) // ROWS_PER_FILE).bit_length()


def bucket_of(partition: Partition, buckets: int) -> int:
    """The bucket of a partition's rows."""
    return int(hashes(pa.chunked_array([[text_of(partition)]]))[0]) % buckets


def _partitions(silver: Silver, rows: pa.Table) -> pa.ChunkedArray:
    """The partition of each row as one text, in a dictionary."""
    texts = silver.partitioning.texts(rows)
    return pa.chunked_array([texts.combine_chunks().dictionary_encode()])


def _count(silver: Silver, partitions: pa.ChunkedArray) -> Counter[Partition]:
    counted = partitions.value_counts().to_pylist()
    of_text = silver.partitioning.of_text
    return Counter({of_text(found["values"]): found["counts"] for found in counted})


def _by_partition(partitions: pa.ChunkedArray, buckets: int) -> Buckets:
    if buckets == 1:
        return _all_in_one(partitions)
    texts = partitions.combine_chunks()
    known: Buckets = hashes(pa.chunked_array([texts.dictionary])) % buckets
    found: Buckets = known[texts.indices.to_numpy()]
    return found


def _all_in_one(rows: pa.Table | pa.ChunkedArray) -> Buckets:
    return np.zeros(len(rows), np.int64)


def _file(keys: pa.ChunkedArray, files: int | Buckets) -> Buckets:
    """Which of its partition's files each row belongs to, by its key."""
    return hashes(keys) & (files - 1)


def _files(silver: Silver, rows: pa.Table, files: Mapping[Partition, int]) -> Iterator[File]:
    """Each partition's rows by key, as files named by their content."""
    table = silver.table
    by_partition = [(name, "ascending") for name in table.partitions]
    ordered = rows.sort_by([*by_partition, (table.key, "ascending")])
    # Arrow groups in no order of its own, not even that of its input.
    groups = ordered.group_by(list(table.partitions)).aggregate([([], "count_all")])
    start = 0
    for group in groups.sort_by(by_partition).to_pylist():
        partition = tuple(group[name] for name in table.partitions)
        count = group["count_all"]
        within = ordered.slice(start, count).select(table.located_schema.names)
        for part in _divided(within, table.key, files[partition]):
            content = parquet.write(part.select(table.schema.names))
            digest = sha256(content)
            key = f"{silver.folder(partition)}/{digest[:32]}.parquet"
            entry = StoredObject(key=key, rows=len(part), bytes=len(content), sha256=digest)
            yield entry, content, part
        start += count


def _divided(rows: pa.Table, key: str, files: int) -> Iterable[pa.Table]:
    if files == 1:
        return [rows]
    numbers = _file(rows[key], files)
    return (rows.filter(pa.array(numbers == number)) for number in np.unique(numbers))
