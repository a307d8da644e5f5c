"""Where rows go between tasks, whatever the rows, the chunks and the buckets are."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.lake.batches import grouped
from data.medallion.lake.manifest import PartHashes, StoredObject
from data.medallion.lake.partitions import text_of
from data.medallion.lake.records import array_lines, lines_within
from data.medallion.layers.silver.clean import ranges
from data.medallion.layers.silver.cleaner import Cleaner
from data.medallion.layers.silver.plan import ROWS_PER_FILE, Plan, files_for
from data.medallion.layers.silver.write import superseded
from data.medallion.table import unchanged
from data.medallion.work.shuffle import (
    Folder,
    TaskContext,
    buckets_for,
    gather,
    hashes,
    scatter,
    segments_of,
)
from tests.stations import TABLE

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
rows = st.lists(st.tuples(texts, st.integers(0, 2**62)), max_size=60)
SCHEMA = pa.schema([("id", pa.string()), ("position", pa.int64())])


def table_of(pairs):
    return pa.table([[text for text, _ in pairs], [position for _, position in pairs]], SCHEMA)


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
        assert gather(scratch, segments_of(pieces, bucket), SCHEMA).to_pylist() == wanted


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


def ranges_of(size, each):
    entry = StoredObject(key="key", rows=0, bytes=size, sha256="")
    return ranges(entry, PartHashes(size=each, sha256=tuple(map(str, range(-(-size // each))))))


@given(st.lists(st.dictionaries(texts, texts, max_size=3)), *[st.integers(1, 40)] * 3)
def test_ranges_of_any_size_hold_each_record_once(records, size, chunk, at_once):
    content = b"".join(array_lines(json.dumps(record) for record in records))
    found = []
    for part in ranges_of(len(content), size):
        given_from = max(part.start - 1, 0)
        chunks = [content[at : at + chunk] for at in range(given_from, len(content), chunk)]
        for lines in lines_within(chunks, part.start, part.end, at_once):
            found += [json.loads(lines.text(number)) for number in range(len(lines))]
    assert found == records


@given(st.integers(0, 10**10), st.integers(1, 10**9))
def test_ranges_cover_an_object_without_gap_or_overlap(size, each):
    size = min(size, each * 1_000)
    found = ranges_of(size, each)
    assert [found[0].start, found[-1].end] == [0, size] if size else not found
    assert all(before.end == after.start for before, after in pairwise(found))
    assert [part.sha256 for part in found] == [str(number) for number in range(len(found))]


@given(st.integers(0, 40), st.integers(0, 2))
def test_the_number_of_files_depends_on_the_rows_alone_and_seldom_changes(full, more):
    count = full * ROWS_PER_FILE + more
    files = files_for(count)
    assert files & (files - 1) == 0
    assert files * ROWS_PER_FILE >= count
    assert files == 1 or (files // 2) * ROWS_PER_FILE < count


keys = st.sampled_from([1, 2, 3, -1, 1 << 62]), st.sampled_from(["a", "b", "", "1", "ä"])
newest = st.none() | st.integers(-2, 2)


@pytest.mark.parametrize("by", ["", "height"])
@pytest.mark.parametrize("key", [0, 1])
def test_of_rows_with_one_key_the_newest_or_the_last_is_kept(tmp_path_factory, key, by):
    """Keys of numbers, and of text."""
    folder = Folder(tmp_path_factory.mktemp("keys"))
    table = replace(TABLE, key=("number", "name")[key], newest=by)
    plan = Plan(table, Cleaner(table, unchanged), "data/stations/")
    partitions = st.sampled_from([("X", 1987), ("X", 1988), ("a/b", -1)])

    @given(st.lists(st.tuples(keys[key], partitions, newest)))
    def holds(received):
        parts = segments_of([keys_piece(folder, plan, received)], 0)
        found = superseded(TaskContext(None, folder), plan, parts)
        # A null is less than any value.
        ranks = [by and (value is not None, value or 0) for *_, value in received]
        order = sorted(range(len(received)), key=lambda position: (ranks[position], position))
        kept = {received[position][0]: position for position in order}
        earlier = {}
        for position, (key, partition, _) in enumerate(received):
            if kept[key] != position:
                earlier.setdefault(partition, set()).add(position)
        assert {where: set(which.tolist()) for where, which in found.items()} == earlier

    holds()


def keys_piece(folder, plan, received):
    texts = [text_of(partition) for _, partition, _ in received]
    of_key, places = [str(key) for key, *_ in received], [*range(len(received))]
    columns = [of_key, places, pa.array(texts, pa.string()).dictionary_encode()]
    if plan.table.newest:
        columns.append([value for *_, value in received])
    found = pa.table(columns, plan.keys_schema)
    return scatter(folder, "keys", found, np.zeros(len(found), np.int64), 1)


@given(st.lists(st.one_of(st.text(), st.integers(), st.text("ab", min_size=7, max_size=40))))
@example(["", "\x01"])
def test_values_have_one_hash_if_and_only_if_their_texts_are_equal(values):
    texts = list(map(str, values))
    found = hashes(pa.array(["", *texts]).slice(1)).tolist()
    assert found == [hash_ for text in texts for hash_ in hashes(pa.chunked_array([[text]]))]
    assert len(set(found)) == len(set(texts))
    numbers = [value for value in values if isinstance(value, int) and abs(value) < 1 << 63]
    of_texts = hashes(pa.chunked_array([pa.array(map(str, numbers), pa.string())]))
    assert hashes(pa.chunked_array([pa.array(numbers, pa.int64())])).tolist() == of_texts.tolist()
