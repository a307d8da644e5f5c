"""Buckets that a task can hold: each row once, rows of one key together, by few reads."""

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.work import regrouping
from data.medallion.work.shuffle import Folder, TaskContext, buckets_of, gather, scatter

SCHEMA = pa.schema([("key", pa.string()), ("side", pa.int64())])


@dataclass
class Counting:
    """A scratch that counts what is read of it."""

    folder: Folder
    reads: int = 0

    def write(self, name, content):
        self.folder.write(name, content)

    def read(self, parts):
        self.reads += len(parts)
        return self.folder.read(parts)


@dataclass
class Here:
    """An engine that runs tasks where they are asked for."""

    place: TaskContext

    def run(self, tasks, doing):
        return iter([task(self.place) for task in tasks])


@pytest.fixture(scope="module", autouse=True)
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regrouping, "TASK_BYTES", 2_000)
        patch.setattr(regrouping, "FAN_OUT", 4)
        yield


def bring_together(folder, sides, each=10):
    """Scatter lists of keys, and gather the buckets; also how many reads that took."""
    scratch = Counting(Folder(folder))
    engine = Here(TaskContext(None, scratch))
    rows = sum(map(len, sides))
    buckets = regrouping.few_buckets(rows * 40, vars(regrouping)["TASK_BYTES"])
    pieces = [[] for _ in sides]
    for number, keys in enumerate(sides):
        for start in range(0, len(keys), each):
            some = keys[start : start + each]
            table = pa.table([some, [number] * len(some)], SCHEMA)
            by_key = buckets_of(table["key"], buckets)
            pieces[number].append(scatter(scratch, f"{number}-{start}", table, by_key, buckets))
    found = [
        [gather(scratch, parts, SCHEMA).to_pylist() for parts in bucket]
        for bucket in regrouping.by_key(engine, SCHEMA, ("key",), buckets, *pieces)
    ]
    return found, scratch.reads


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=300), min_size=1, max_size=2))
def test_each_row_comes_once_with_all_of_its_key(tmp_path_factory, sides):
    found, _ = bring_together(tmp_path_factory.mktemp("rows"), sides)
    for number, keys in enumerate(sides):
        rows = [row["key"] for bucket in found for row in bucket[number]]
        assert Counter(rows) == Counter(keys)
    buckets = Counter(key for bucket in found for key in {r["key"] for s in bucket for r in s})
    assert all(count == 1 for count in buckets.values())


def test_reads_grow_with_the_rows_and_not_with_their_square(tmp_path):
    reads = {}
    for rows in (500, 2_000):
        keys = [f"key {number}" for number in range(rows)]
        (tmp_path / str(rows)).mkdir()
        found, reads[rows] = bring_together(tmp_path / str(rows), [keys])
        assert sum(len(bucket[0]) for bucket in found) == rows
    # Sixteen times as many, if each piece were read for each task's bucket.
    assert reads[2_000] < 6 * reads[500]
