"""The work between bronze and silver, cut into tasks that any machine can do.

Bronze's ranges are cleaned and scattered twice: the rows by location, the ids by themselves. Each
bucket of ids tells which rows a later one supersedes; each bucket of rows becomes partitions. What
is written depends on the data alone: not on the ranges, the buckets, or who did which task.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...breweries.table import CLEAN_SCHEMA, KIND, LOCATED_SCHEMA, LOCATION, SCHEMA
from ..errors import ObjectDiffers
from ..lake import parquet
from ..lake.datasets import SILVER
from ..lake.manifest import PART_BYTES, Parts, StoredObject, sha256
from ..lake.partitions import Location, location, partition
from ..lake.records import lines_within, record_texts
from ..work.shuffle import Buckets, Part, Piece, Place, gather, hashes, scatter
from . import changes, drift
from .changes import Comparison
from .cleaning import clean
from .drift import Profile, Seen

BATCH = 5_000  # records; bounds how many are Python objects at a time
ROWS_PER_FILE = 250_000
"""Rows of a Parquet file at most; about 20 MB."""

PIECE_OF_A_LINE = 64 << 10  # bytes, by which the end of a range's last line is looked for
IDS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("position", pa.int64()),
        ("place", pa.dictionary(pa.int32(), pa.string())),
    ]
)
REJECTED_SCHEMA = pa.schema(
    [("record", pa.string()), ("reason", pa.string()), ("position", pa.int64())]
)


@dataclass(frozen=True)
class Range:
    """A part of bronze's object: the lines that begin from `start` up to `end`, in bytes."""

    key: str
    etag: str
    size: int
    start: int
    end: int
    sha256: str | None
    """Of its bytes; None where the manifest tells that of the whole object alone."""


@dataclass(frozen=True)
class CleanedRange:
    """What a range held: pieces of the usable rows, of their ids, and of the rejected records."""

    records: int
    rows: Piece
    ids: Piece
    rejected: Piece
    unusable: int
    by_location: Counter[Location]
    seen: Seen


@dataclass(frozen=True)
class Written:
    """Partitions in the store: their objects, how many are new there, what their rows are like."""

    objects: tuple[StoredObject, ...]
    stored: int
    profile: Profile


def ranges(key: str, etag: str, size: int, parts: Parts | None) -> list[Range]:
    """An object of so many bytes, in the parts of its manifest, or such as they would be."""
    told = parts or Parts(size=PART_BYTES, sha256=())
    starts = range(0, max(size, 1), told.size)
    hashed = zip_longest(starts, told.sha256[: len(starts)])
    return [
        Range(key, etag, size, start, min(start + told.size, size), digest)
        for start, digest in hashed
    ]


def check_object(place: Place, entry: StoredObject) -> None:
    """Read bronze's object for its hash alone.

    Raises:
        ObjectMissing, ObjectDiffers: it is not what the manifest says.
    """
    for _ in place.lake.chunks("bronze", entry):
        pass


def clean_range(place: Place, part: Range, name: str, first: int, buckets: int) -> CleanedRange:
    """Clean the records of a range.

    Args:
        place: where the task runs.
        part: the range.
        name: of the pieces.
        first: the position to give its first record; that of any later range is greater.
        buckets: how many to scatter into.

    Raises:
        ObjectMissing: the object was replaced.
        ObjectDiffers: the range is not what the manifest says.
    """
    texts = record_texts(lines_within(_content(place, part), part.start, part.end))
    tables, batches, rejected, records = [CLEAN_SCHEMA.empty_table()], [], [], 0
    while batch := list(islice(texts, BATCH)):
        table, unusable, seen = clean(batch, first + records)
        tables.append(table)
        batches.append(seen)
        rejected += [vars(row) for row in unusable]
        records += len(batch)
    rows = pa.concat_tables(tables)
    unusable = pa.Table.from_pylist(rejected, REJECTED_SCHEMA)
    ids = pa.table([rows["id"], rows["position"], _places(rows)], IDS_SCHEMA)
    scratch = place.scratch
    return CleanedRange(
        records=records,
        rows=scatter(scratch, f"{name}-rows", rows, _by_location(rows, buckets), buckets),
        ids=scatter(scratch, f"{name}-ids", ids, _by_id(ids, buckets), buckets),
        rejected=scatter(scratch, f"{name}-rejected", unusable, _all_in_one(unusable), 1),
        unusable=len(rejected),
        by_location=_count(ids["place"]),
        seen=drift.seen_in_all(batches),
    )


def superseded(place: Place, parts: Sequence[Part]) -> dict[Location, npt.NDArray[np.int64]]:
    """The positions of rows whose id comes again later, by their location, among some ids.

    The row received last is kept, since the data may change under a crawl.
    """
    ids = gather(place.scratch, parts, IDS_SCHEMA)
    last = ids.group_by("id").aggregate([("position", "max")])["position_max"]
    if len(last) == len(ids):
        return {}
    earlier = ids.filter(pc.invert(pc.is_in(ids["position"], value_set=last.combine_chunks())))
    earlier = earlier.set_column(2, "place", earlier["place"].cast(pa.string()))
    found = earlier.group_by("place").aggregate([("position", "list")]).to_pylist()
    return {_location(row["place"]): np.array(row["position_list"]) for row in found}


def split_bucket(
    place: Place,
    parts: Sequence[Part],
    name: str,
    first_slots: Mapping[Location, int],
    files: Mapping[Location, int],
    slots: int,
) -> Piece:
    """Some parts of a bucket that is too large for one task, in slots of whole files.

    Args:
        place: where the task runs.
        parts: those whose rows it takes.
        name: of the new piece.
        first_slots: each location to the slot of its first file.
        files: each location to how many it has; its later ones are in the slots after.
        slots: how many there are.
    """
    rows = gather(place.scratch, parts, CLEAN_SCHEMA)
    places = _places(rows).combine_chunks()
    known = [_location(value) for value in places.dictionary.to_pylist()]
    first = np.array([first_slots[where] for where in known])[places.indices.to_numpy()]
    number = np.array([files[where] for where in known])[places.indices.to_numpy()]
    return scatter(place.scratch, name, rows, first + _file(rows, number), slots)


def write_partitions(
    place: Place,
    parts: Sequence[Part],
    without: npt.NDArray[np.int64],
    files: Mapping[Location, int],
    there: Mapping[str, str],
) -> Written:
    """Store a bucket's rows, as Parquet files of one location each, sorted by id.

    Args:
        place: where the task runs.
        parts: all of the bucket's.
        without: the positions of rows that are superseded.
        files: each location to how many files its rows are divided into, by id.
        there: keys to ETags of what the store has; a file that is there is not stored again.
    """
    rows = gather(place.scratch, parts, CLEAN_SCHEMA)
    if len(without):
        rows = rows.filter(pc.invert(pc.is_in(rows["position"], value_set=pa.array(without))))

    def store(file: tuple[StoredObject, bytes]) -> tuple[StoredObject, bool]:
        entry, content = file
        etag = there.get(entry.key)
        missing = etag is None or not place.lake.holds("silver", entry, content, etag)
        if missing:
            place.lake.put_hashed("silver", entry, content, parquet.CONTENT_TYPE)
        return entry, missing

    stored = place.lake.each(store, _files(rows, files))
    objects = tuple(entry for entry, _ in stored)
    return Written(objects, sum(missing for _, missing in stored), _profile(rows))


def scatter_objects(
    place: Place, entries: Sequence[StoredObject], name: str, columns: Sequence[str], buckets: int
) -> Piece:
    """Some columns of silver objects, with their locations, scattered by id.

    Raises:
        LakeError: an object is not what its manifest says.
    """
    schema = pa.schema([SCHEMA.field(column) for column in columns])

    def read(entry: StoredObject) -> pa.Table:
        content = place.lake.read("silver", entry)
        name = f"silver/{entry.key}"
        table = parquet.read(name, content, entry, schema, missing_as_null=True)
        for column, value in zip(LOCATION, location(entry.key), strict=True):
            table = table.append_column(column, pa.repeat(pa.scalar(value), len(table)))
        return table

    rows = pa.concat_tables(place.lake.each(read, entries))
    return scatter(place.scratch, name, rows, _by_id(rows, buckets), buckets)


def compare(place: Place, before: Sequence[Part], after: Sequence[Part]) -> Comparison:
    """What differs between two versions, among the ids of a bucket."""
    was = gather(place.scratch, before, LOCATED_SCHEMA)
    return changes.compare(was, gather(place.scratch, after, LOCATED_SCHEMA))


def count_ids(place: Place, parts: Sequence[Part]) -> int:
    """How many distinct ids a bucket has."""
    schema = pa.schema([LOCATED_SCHEMA.field(name) for name in ("id", *LOCATION)])
    distinct = pc.count_distinct(gather(place.scratch, parts, schema)["id"])
    return int(distinct.as_py())


def files_for(rows: int) -> int:
    """How many files a location of so many rows has: a power of two, so that it seldom changes."""
    return 1 << (max(rows - 1, 0) // ROWS_PER_FILE).bit_length()


def folder(where: Location) -> str:
    """Where a location's objects stand, relative to the bucket."""
    return f"{SILVER.prefix}{partition(*where)}"


def bucket_of(where: Location, buckets: int) -> int:
    """The bucket of a location's rows."""
    return int(hashes(pa.chunked_array([["\0".join(where)]]))[0]) % buckets


def _content(place: Place, part: Range) -> Iterator[bytes]:
    """The object from the byte before a range on, for as long as somebody reads."""
    digest, before = hashlib.sha256(), min(part.start, 1)
    start = part.start - before
    for chunk in place.lake.part("bronze", part.key, start, part.end, part.etag):
        digest.update(memoryview(chunk)[before:])
        before = 0
        yield chunk
    if part.sha256 not in {None, digest.hexdigest()}:
        name = f"bronze/{part.key}"
        what = f"sha256 of bytes {part.start} to {part.end}"
        raise ObjectDiffers(name, what, part.sha256, digest.hexdigest())
    for start in range(part.end, part.size, PIECE_OF_A_LINE):
        end = min(start + PIECE_OF_A_LINE, part.size)
        yield from place.lake.part("bronze", part.key, start, end, part.etag)


def _places(rows: pa.Table) -> pa.ChunkedArray:
    """The location of each row as one text, in a dictionary. Tidied text holds no NUL."""
    joined = pc.binary_join_element_wise(*(rows[name] for name in LOCATION), "\0")
    return pa.chunked_array([joined.combine_chunks().dictionary_encode()])


def _location(place: str) -> Location:
    country, state = place.split("\0")
    return country, state


def _count(places: pa.ChunkedArray) -> Counter[Location]:
    counted = places.value_counts().to_pylist()
    return Counter({_location(found["values"]): found["counts"] for found in counted})


def _by_location(rows: pa.Table, buckets: int) -> Buckets:
    if buckets == 1:
        return _all_in_one(rows)
    places = _places(rows).combine_chunks()
    known: Buckets = hashes(pa.chunked_array([places.dictionary])) % buckets
    found: Buckets = known[places.indices.to_numpy()]
    return found


def _by_id(rows: pa.Table, buckets: int) -> Buckets:
    if buckets == 1:
        return _all_in_one(rows)
    return hashes(rows["id"]) % buckets


def _all_in_one(rows: pa.Table) -> Buckets:
    return np.zeros(len(rows), np.int64)


def _file(rows: pa.Table, files: int | Buckets) -> Buckets:
    """Which of its location's files each row belongs to, by its id."""
    return hashes(rows["id"]) & (files - 1)


def _files(rows: pa.Table, files: Mapping[Location, int]) -> Iterator[tuple[StoredObject, bytes]]:
    """Each location's rows by id, as files named by their content."""
    by_location = [(name, "ascending") for name in LOCATION]
    ordered = rows.sort_by([*by_location, ("id", "ascending")])
    # Arrow groups in no order of its own, not even that of its input.
    sizes = ordered.group_by(list(LOCATION)).aggregate([([], "count_all")]).sort_by(by_location)
    start = 0
    for size in sizes.to_pylist():
        where, count = (size[LOCATION[0]], size[LOCATION[1]]), size["count_all"]
        for part in _divided(ordered.slice(start, count).select(SCHEMA.names), files[where]):
            content = parquet.write(part)
            digest = sha256(content)
            key = f"{folder(where)}/{digest[:32]}.parquet"
            entry = StoredObject(key=key, rows=len(part), bytes=len(content), sha256=digest)
            yield entry, content
        start += count


def _divided(rows: pa.Table, files: int) -> Iterable[pa.Table]:
    if files == 1:
        return [rows]
    numbers = _file(rows, files)
    return (rows.filter(pa.array(numbers == number)) for number in np.unique(numbers))


def _profile(rows: pa.Table) -> Profile:
    def counts(column: str) -> dict[str, int]:
        counted = rows[column].drop_null().value_counts().to_pylist()
        return {item["values"]: item["counts"] for item in counted}

    return Profile(
        rows=len(rows),
        fields={},
        values={name: len(rows) - rows[name].null_count for name in SCHEMA.names},
        countries=counts(LOCATION[0]),
        brewery_types=counts(KIND),
    )
