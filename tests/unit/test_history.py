from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.medallion.lake.manifest import Snapshot, StoredObject
from data.medallion.lake.runs import time_of
from data.medallion.layers.bronze import expired

TODAY = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
KEPT = ["20261101T000000Z-aaaaaa", "20261120T000000Z-bbbbbb", "20261123T000000Z-cccccc"]


def kept(names):
    entry = StoredObject(key="", rows=0, bytes=0, sha256="")
    return [
        Snapshot(snapshot=name, object=entry, version=number, published_at=time_of(name))
        for number, name in enumerate(names)
    ]


def names_of(snapshots):
    return [one.snapshot for one in snapshots]


@pytest.mark.parametrize(
    ("versions", "days", "in_use", "gone"),
    [
        (0, 0, [], []),
        (3, 0, [], []),
        (2, 0, [], KEPT[:1]),
        (1, 0, [], KEPT[:2]),
        (1, 0, KEPT[:1], KEPT[1:2]),
        (0, 7, [], KEPT[:1]),
        (0, 1, [], KEPT[:2]),
        (0, 1, KEPT[:2], []),
        (1, 30, [], KEPT[:2]),
    ],
)
def test_snapshots_beyond_the_number_or_the_days_expire(versions, days, in_use, gone):
    assert names_of(expired(kept(KEPT), versions, days, TODAY, in_use)) == gone


days_of_november = st.lists(st.integers(1, 23), unique=True).map(sorted)


@given(days_of_november, st.integers(0, 9), st.integers(0, 30), st.sets(st.integers(1, 23)))
def test_neither_the_newest_snapshots_nor_those_in_use_expire(days, versions, limit, used):
    snapshots = [f"202611{day:02}T000000Z-aaaaaa" for day in days]
    in_use = {f"202611{day:02}T000000Z-aaaaaa" for day in used}
    gone = names_of(expired(kept(snapshots), versions, limit, TODAY, in_use))
    assert not in_use & set(gone)
    if versions and not limit:
        assert not set(snapshots[-versions:]) & set(gone)
    assert set(gone) <= set(snapshots)
    if not versions and not limit:
        assert gone == []
