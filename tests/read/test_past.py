"""Versions of any moment: what was published then, and nothing else."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone

import pytest

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.lake.errors import VersionLost
from data.medallion.lake.manifest import Changes
from data.medallion.read import past as module
from data.medallion.read.__main__ import main
from data.medallion.read.errors import NoVersionThen, SnapshotExpired, TimeUnclear
from tests.read.conftest import streamed
from tests.story import PUBLISHED, REFUSED, STORY, Told, named, publish, rows

BRONZE, SILVER, GOLD = "bronze/breweries", "silver/breweries", "gold/state_brewery_type"
pytestmark = [pytest.mark.server, pytest.mark.filterwarnings("error")]


# -- the past of a lake, with refused answers, replays, and older data that came back ---


def test_every_moment_is_answered_as_it_was_at_once(story, capsys):
    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(lambda told: rows(SILVER, told.moment), story.told)]
    assert capsys.readouterr() == ("", "")
    for number, told in enumerate(story.told):
        assert answers[number] == told.silver, STORY[number]
        assert rows(GOLD, told.moment) == told.gold, STORY[number]
        assert read.rejected(SILVER, at=told.moment).to_pylist() == told.rejected
        until = [name for name in STORY[: number + 1] if name not in REFUSED]
        assert {row["name"] for row in told.silver} == {until[-1].removeprefix("replay:")}


def test_each_publish_is_listed(story):
    listed = read.versions(SILVER)
    assert [one.version for one in listed] == list(range(1, 11))
    assert [one.run for one in listed] == story.runs
    replayed = [name.startswith("replay") for name in STORY if name not in REFUSED]
    assert [one.replay for one in listed] == replayed
    assert [one.current for one in listed] == [False] * 9 + [True]
    assert [one.records for one in listed] == [13, 12, 12, 13, 13, 12, 13, 13, 13, 12]
    assert [one.added for one in listed] == [12] + [0] * 9
    same = [was == now for was, now in zip([None, *PUBLISHED], PUBLISHED, strict=False)]
    assert [one.changed for one in listed[1:]] == [0 if s else 12 for s in same[1:]]
    moments = [one.published_at for one in listed]
    assert moments == sorted(moments)


def test_the_log_is_read_and_no_record(story, monkeypatch):
    asked = streamed(monkeypatch)
    assert len(read.versions(SILVER)) == 10
    assert asked and all(key.endswith(".json") and "/_" in key for key in asked)


def test_a_run_is_asked_for_by_its_id(story):
    for run, answer in zip(story.runs, PUBLISHED, strict=True):
        assert {row["name"] for row in rows(SILVER, run)} == {answer}
    for run in (*story.refused, "20200101T000000Z-abcdef"):
        with pytest.raises(NoVersionThen, match=f"knows no version of {run}"):
            rows(SILVER, run)
    # Bronze did publish the refused answers.
    assert len(rows(BRONZE, story.refused[0])) == 3


def test_any_two_versions_are_compared(story):
    counts = Changes(changed=12, partitions=3).model_dump()
    third, last = story.runs[2], story.runs[-1]
    assert read.changes(SILVER, start=third, end=story.runs[3])["counts"] == counts
    assert read.changes(SILVER, start=third, end=last)["counts"] == Changes().model_dump()
    told = read.changes(SILVER, end=story.runs[4])
    assert (told["before"], told["run"]) == (story.runs[2], story.runs[3])
    first = read.changes(SILVER, end=story.runs[0])
    assert (first["before"], first["counts"]["added"]) == (None, 12)
    newest = read.changes(SILVER)
    assert (newest["run"], newest["counts"]) == (last, counts)


def test_the_future_is_todays_and_what_was_before_the_log_is_unknown(story):
    for moment in ("9999-12-31", date.max, "2999-01-01T00:00:00-12:00"):
        assert rows(SILVER, moment) == story.told[-1].silver
    for moment in ("2020-02-29", "0001-01-01", "2020-01-01T00:00:00+14:00"):
        with pytest.raises(NoVersionThen, match="it begins at 2"):
            rows(SILVER, moment)


def test_a_text_that_is_no_moment_is_refused(story):
    late = "0001-01-01T00:00:00+14:00"
    for moment in ("", "yesterday", "2026-11-17T02:00:00", "2026-02-30", "2026-11", late):
        with pytest.raises(TimeUnclear, match=r"give a day \(2026-11-18\), a time with its zone"):
            rows(SILVER, moment)


# -- a lake of three versions ---


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_version_is_what_it_was_byte_for_byte(past, number):
    snapshot, then = past.snapshots[number], past.manifests[number]
    for path in (BRONZE, SILVER, GOLD):
        assert read.manifest(path, at=snapshot) == then[path]
    assert len(read.table(SILVER, ["id"], at=snapshot)) == then[SILVER].rows_out
    assert len(read.rejected(SILVER, at=snapshot)) == then[SILVER].rows_rejected
    assert read.table(SILVER, at=snapshot).schema.metadata[b"version"] == f"{number + 1}".encode()
    # The live lake is as it was.
    assert past.world.manifest(FLOW.silver) == past.manifests[-1][SILVER]


def test_a_version_rebuilt_by_other_code_is_told_by_its_objects(past, monkeypatch):
    version = past.manifests[0][SILVER]
    first, *others = version.objects
    other = first.model_copy(update={"sha256": "0" * 64})
    changed = {"objects": (other, *others), "libraries": {"pyarrow": "1.0"}}
    monkeypatch.setattr(module, "version_at", lambda *_: version.model_copy(update=changed))
    says = rf"and 1 of its {len(version.objects) + 1} objects differ.*pyarrow 1\.0 made them, and 0"
    with pytest.warns(read.MadeByOtherCode, match=says):
        read.table(SILVER, at=past.snapshots[0])


def test_changes_of_neighbours_are_those_of_the_publish(past):
    first, second, third = past.snapshots
    near = read.changes(SILVER, start=first, end=second)
    counts = {"added": 0, "removed": 1, "moved": 0, "recategorized": 0, "changed": 1}
    assert {name: near["counts"][name] for name in counts} == counts
    assert (near["before"], near["snapshot"]) == (first, second)
    assert near["changed"][0]["name"] == "Another" and near["partitions"]
    assert read.changes(SILVER, start=second) == read.changes(SILVER)
    back = read.changes(SILVER, start=third, end=first)
    assert back["counts"]["added"] == read.changes(SILVER, start=first)["counts"]["removed"] == 3
    assert read.changes(SILVER, start=third)["counts"] == Changes().model_dump()


# -- lakes that have lost something ---


def answer(world, name):
    """Publish breweries of that name; the snapshot, and the moment after it."""
    world.api.records = named(name, 1)
    return publish(drawn=False), Told.now()


def test_a_snapshot_that_is_no_longer_retained(small):
    small.set(BREWERIES_HISTORY_VERSIONS=1)
    snapshots, told = zip(*(answer(small, name) for name in "ABC"), strict=True)
    moments = [one.moment for one in told]
    assert {row["name"] for row in rows(SILVER, moments[1])} == {"B"}
    with pytest.raises(NoVersionThen):
        rows(SILVER, moments[0])
    bronze = small.manifest(FLOW.bronze)
    small.publish_manifest(FLOW.bronze, bronze.model_copy(update={"retained": ()}))
    with pytest.raises(SnapshotExpired, match=f"its snapshot {snapshots[1]}"):
        rows(SILVER, snapshots[1])


def test_a_lost_entry_makes_its_moments_unknown_and_no_others(small, capsys):
    runs, told = zip(*(answer(small, name) for name in "ABC"), strict=True)
    small.lake.store.put("silver", FLOW.silver.entry(2), b"{}")
    assert [one.version for one in read.versions(SILVER)] == [1, 3]
    with pytest.raises(VersionLost, match=r"What version 2 of silver/breweries was is lost"):
        rows(SILVER, told[1].moment)
    assert rows(SILVER, told[2].moment) == told[2].silver
    assert rows(SILVER, runs[0]) == told[0].silver


def test_a_clock_that_is_set_back_changes_no_order(small, monkeypatch):
    """The order of versions is that of their numbers; no publish is before the one before."""
    answer(small, "A")
    before = small.manifest(FLOW.silver).published_at
    monkeypatch.setattr("data.medallion.writer.datetime", SetBack)
    answer(small, "C")
    assert small.manifest(FLOW.silver).published_at == before
    assert {row["name"] for row in rows(SILVER, before)} == {"C"}


class SetBack(datetime):
    """A clock that is a year late."""

    @classmethod
    def now(cls, zone=None):
        return datetime.now(zone or timezone.utc) - timedelta(days=365)


def test_an_odd_record_breaks_no_reader(small, capfd):
    odd = {"id": "9", "name": "half \ud800", "country": "Land", "state_province": "North"}
    small.api.records = [*named("A", 1), {**odd, "x": 10**400, "y": [[["\ud800"]]]}, "\udfff"]
    snapshot = publish(drawn=False)
    small.api.records = named("B", 1)
    publish(drawn=False)
    assert len(rows(SILVER, snapshot)) == 4
    assert len(read.rejected(SILVER, at=snapshot)) == 1
    assert len(rows(BRONZE, snapshot)) == 5
    records = [json.loads(row["record"]) for row in rows(BRONZE, snapshot)]
    assert [record["x"] for record in records if "x" in record] == [10**400]
    assert read.changes(SILVER, start=snapshot)["counts"]["removed"] == 1
    query = "SELECT count(record->>'name') FROM bronze; SELECT record FROM rejected"
    words = ["--query", query, "--format", "table", "--at", snapshot]
    assert main(["sql", "--flow", "breweries", *words]) == 0
    told = capfd.readouterr().out
    assert "4" in told and "\ufffd" in told
