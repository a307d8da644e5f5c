"""Where rows go between tasks, whatever the rows, the chunks and the buckets are."""

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.medallion.lake.manifest import PART_BYTES, Parts
from data.medallion.lake.records import array_lines, lines_within, record_texts
from data.medallion.layers import silver_tasks
from data.medallion.layers.cleaning import clean
from data.medallion.layers.silver_tasks import IDS_SCHEMA, files_for, ranges, superseded
from data.medallion.work.shuffle import (
    Folder,
    Place,
    buckets_for,
    gather,
    grouped,
    parts_of,
    scatter,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
rows = st.lists(st.tuples(texts, st.integers(0, 2**62)), max_size=60)
SCHEMA = pa.schema([("id", pa.string()), ("position", pa.int64())])


def table_of(pairs):
    return pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, pair, strict=True)) for pair in pairs], SCHEMA
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("scratch"))


@given(st.lists(rows, max_size=4), st.integers(1, 7))
def test_what_is_scattered_is_gathered_once_and_in_order(scratch, inputs, number):
    pieces, expected = [], {bucket: [] for bucket in range(number)}
    for place, pairs in enumerate(inputs):
        buckets = np.array([position % number for _, position in pairs], np.int64)
        pieces.append(scatter(scratch, str(place), table_of(pairs), buckets, number))
        for (text, position), bucket in zip(pairs, buckets, strict=True):
            expected[bucket].append({"id": text, "position": position})
    for bucket, wanted in expected.items():
        assert gather(scratch, parts_of(pieces, bucket), SCHEMA).to_pylist() == wanted


@given(st.integers(0, 10**13), st.integers(1, 10**9))
def test_buckets_hold_no_more_than_asked(size, each):
    number = buckets_for(size, each)
    assert number >= 1
    assert number * each >= size
    assert number == 1 or (number - 1) * each < size


@given(st.lists(st.integers(0, 100)), st.integers(1, 150))
def test_groups_are_all_items_in_order_within_the_limit(sizes, limit):
    groups = list(grouped(sizes, int, limit))
    assert [size for group in groups for size in group] == sizes
    assert all(len(group) == 1 or sum(group) <= limit for group in groups)
    # No two neighbours could have been one.
    assert all(sum(before) + after[0] > limit for before, after in pairwise(groups))


@given(st.lists(st.dictionaries(texts, texts, max_size=3)), st.integers(1, 40), st.integers(1, 40))
def test_ranges_of_any_size_hold_each_record_once(records, size, chunk):
    content = b"".join(array_lines(json.dumps(record) for record in records))
    found = []
    for part in ranges("key", "etag", len(content), Parts(size=size, sha256=())):
        given_from = max(part.start - 1, 0)
        chunks = [content[at : at + chunk] for at in range(given_from, len(content), chunk)]
        found += record_texts(lines_within(chunks, part.start, part.end))
    assert [json.loads(text) for text in found] == records


@given(st.integers(0, 10**10), st.integers(1, 10**9))
def test_ranges_cover_an_object_without_gap_or_overlap(size, each):
    size = min(size, each * 1_000)
    found = ranges("key", "etag", size, Parts(size=each, sha256=("0",) * -(-size // each)))
    assert found[0].start == 0
    assert found[-1].end == size
    assert all(before.end == after.start for before, after in pairwise(found))
    assert all(part.sha256 == "0" for part in found) or size == 0


def test_a_bronze_without_hashes_of_its_parts_is_read_all_the_same():
    found = ranges("key", "etag", 3 * PART_BYTES, None)
    assert [part.sha256 for part in found] == [None] * 3


@given(st.integers(0, 40), st.integers(0, 2))
def test_the_number_of_files_depends_on_the_rows_alone_and_seldom_changes(full, more):
    count = full * silver_tasks.ROWS_PER_FILE + more
    files = files_for(count)
    assert files & (files - 1) == 0
    assert files * silver_tasks.ROWS_PER_FILE >= count
    assert files == 1 or (files // 2) * silver_tasks.ROWS_PER_FILE < count


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["X\0Y", "X\0Z"]))))
def test_of_rows_with_one_id_the_last_is_kept(tmp_path_factory, received):
    folder = Folder(tmp_path_factory.getbasetemp())
    found = superseded(Place(None, folder), parts_of([ids_piece(folder, received)], 0))
    last = {id_: position for position, (id_, _) in enumerate(received)}
    earlier = {}
    for position, (id_, where) in enumerate(received):
        if last[id_] != position:
            earlier.setdefault(tuple(where.split("\0")), set()).add(position)
    assert {where: set(positions.tolist()) for where, positions in found.items()} == earlier


def ids_piece(folder, received):
    columns = [
        pa.array([id_ for id_, _ in received], pa.string()),
        pa.array(range(len(received)), pa.int64()),
        pa.array([where for _, where in received], pa.string()).dictionary_encode(),
    ]
    ids = pa.table(columns, IDS_SCHEMA)
    return scatter(folder, "ids", ids, np.zeros(len(ids), np.int64), 1)


PLACED = {"name": "n", "country": "c", "state_province": "s"}


@given(
    st.dictionaries(
        st.sampled_from(["id", "phone", "longitude", "brewery_type", "unknown"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
    ),
    st.booleans(),
)
@settings(max_examples=300)
def test_the_fast_parser_and_the_strict_one_clean_alike(record, ascii_only):
    """A half of a surrogate pair sends a record to the strict parser; nothing else may differ."""
    text = json.dumps(PLACED | record, ensure_ascii=ascii_only).encode()
    forced = text[:-1] + rb', "zz": "\ud800"}'
    fast, fast_rejected, _ = clean([text])
    strict, strict_rejected, _ = clean([forced])
    assert fast.equals(strict)
    assert [row.reason for row in fast_rejected] == [row.reason for row in strict_rejected]
