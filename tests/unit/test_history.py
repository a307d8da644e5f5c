"""Which snapshots expire."""

from datetime import datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.lake.manifest import Snapshot, StoredObject
from data.medallion.lake.runs import time_of
from data.medallion.layers.bronze import expired

TODAY = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
NAMES = [f"202611{day:02}T000000Z-aaaaaa" for day in range(1, 24)]
OBJECT = StoredObject(key="", rows=0, bytes=0, sha256="")
SNAPSHOTS = [
    Snapshot(snapshot=name, object=OBJECT, version=number, published_at=time_of(name))
    for number, name in enumerate(NAMES)
]
some_snapshots = st.lists(st.sampled_from(SNAPSHOTS), unique=True)


@given(
    some_snapshots.map(lambda some: sorted(some, key=lambda one: one.version)),
    st.integers(0, 9),
    st.integers(0, 30),
    st.sets(st.sampled_from(NAMES)),
)
@example(SNAPSHOTS[-3:], 1, 30, set())
@example(SNAPSHOTS[:1] + SNAPSHOTS[-3:], 0, 1, set())
def test_a_snapshot_expires_by_its_place_or_its_age_unless_it_is_in_use(
    snapshots, versions, days, in_use
):
    gone = expired(snapshots, versions, days, TODAY, in_use)
    newest = snapshots[-versions:] if versions else snapshots
    assert gone == [
        one
        for one in snapshots
        if (one not in newest or (days and TODAY - one.published_at > timedelta(days)))
        and one.snapshot not in in_use
    ]
