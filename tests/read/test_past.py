"""Versions of any day, made anew byte for byte; what changed between two; what can be asked for."""

from __future__ import annotations

import warnings
from datetime import date, datetime, timezone

import pytest

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.lake.manifest import Source
from data.medallion.lake.metadata import Stat
from data.medallion.read import past as made
from data.medallion.read.errors import HistoryThinned, NoVersionThen, TimeUnclear
from data.medallion.read.past import snapshot_at
from tests.read.conftest import named, publish

BRONZE, SILVER, GOLD = "bronze/breweries", "silver/breweries", "gold/state_brewery_type"
SAME = {"rows_in", "rows_out", "rows_rejected", "rows_duplicate", "snapshot", "parts", "profile"}
server = pytest.mark.server


@server
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_version_is_what_it_was_byte_for_byte(past, number):
    snapshot, then = past.snapshots[number], past.manifests[number]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {path: read.manifest(path, at=snapshot) for path in (BRONZE, SILVER, GOLD)}
    for path, manifest in found.items():
        assert manifest.model_dump(include=SAME) == then[path].model_dump(include=SAME)
    assert found[BRONZE].only_object().sha256 == then[BRONZE].only_object().sha256
    assert found[SILVER].objects == then[SILVER].objects
    assert found[GOLD].objects == then[GOLD].objects
    assert len(read.table(SILVER, ["id"], at=snapshot)) == then[SILVER].rows_out
    assert len(read.rejected(SILVER, at=snapshot)) == then[SILVER].rows_rejected
    # The live lake is as it was.
    assert past.world.manifest(FLOW.silver) == past.manifests[-1][SILVER]


@server
def test_other_code_is_told_of(past, monkeypatch):
    monkeypatch.setattr(made, "made_by", lambda package: "9.9.9+0, pyarrow 99")
    with pytest.warns(read.MadeByOtherCode, match=r"was made by 0.*rebuilt by 9\.9\.9"):
        read.table(SILVER, at=past.snapshots[0])


@server
def test_changes_between_any_two(past):
    first, second, third = past.snapshots
    near = read.changes(SILVER, start=first, end=second)
    counts = {"added": 0, "removed": 1, "moved": 0, "retyped": 0, "changed": 1}
    assert {name: near["counts"][name] for name in counts} == counts
    assert (near["before"], near["snapshot"]) == (first, second)
    assert near["changed"][0]["name"] == "Another" and near["partitions"]
    # The report of a publish itself, but for its run.
    assert {**read.changes(SILVER, start=second), "run": ""} == {**read.changes(SILVER), "run": ""}
    back = read.changes(SILVER, start=third, end=first)
    assert back["counts"]["added"] == read.changes(SILVER, start=first)["counts"]["removed"] == 3
    none = read.changes(SILVER, start=third)
    assert set(none["counts"].values()) == {0}


@server
def test_what_can_be_asked_for(past):
    listed = read.versions(SILVER)
    assert [kept.snapshot for kept in listed] == past.snapshots
    assert [kept.records for kept in listed] == [62, 61, 58]
    assert [(k.added, k.removed, k.changed) for k in listed] == [(0, 0, 0), (0, 1, 1), (1, 4, 1)]
    assert listed[0].began.tzinfo is timezone.utc


@server
def test_a_replayed_version_is_the_current_one_and_a_thinned_history_is_told_of(small):
    small.api.records = named("A", 1)
    first = publish(drawn=False)
    small.api.records = named("B", 1)
    second = publish(drawn=False)
    publish(drawn=False, snapshot=first)
    today = datetime.now(timezone.utc)
    assert read.table(SILVER, ["name"], at=today)["name"].to_pylist() == ["A"] * 3
    assert read.table(SILVER, ["name"], at=second)["name"].to_pylist() == ["B"] * 3
    with pytest.raises(NoVersionThen, match=f"the oldest is of the run {first}"):
        read.table(SILVER, at="2020-02-29")
    small.api.records = named("C", 1)
    publish(drawn=False)
    small.lake.store.remove("bronze", [f"{FLOW.bronze.history}{first}.json"])
    assert read.table(SILVER, ["name"], at=second)["name"].to_pylist() == ["B"] * 3
    with pytest.raises(HistoryThinned, match=f"that of {first} was removed"):
        read.table(SILVER, at=f"{second[:-6]}ffffff")
    small.lake.store.remove("bronze", small.lake.store.listed("bronze", FLOW.bronze.history))
    with pytest.raises(NoVersionThen):
        read.changes(SILVER, start=second)


@server
def test_an_empty_lake_has_no_versions(small):
    assert read.versions(SILVER) == []
    with pytest.raises(NoVersionThen, match="run the pipeline first"):
        read.table(SILVER, at="2026-11-18")


def kept(*snapshots: str) -> list[Stat]:
    source = Source(key="", sha256="")
    return [Stat("k", "e", 1, s, s, "h", 1, 1, source, "", "") for s in snapshots]


MONDAY, TUESDAY = "20261116T030000Z-aaaaaa", "20261117T030000Z-bbbbbb"


@pytest.mark.parametrize(
    ("moment", "found"),
    [
        ("2026-11-16", MONDAY),
        (date(2026, 11, 17), TUESDAY),
        ("2026-11-17T02:59:59Z", MONDAY),
        ("2026-11-17T03:00:00Z", TUESDAY),
        ("2026-11-17T00:30:00-03:00", TUESDAY),
        (datetime(2026, 11, 17, 2, tzinfo=timezone.utc), MONDAY),
        (MONDAY, MONDAY),
        ("20261117T120000Z-cccccc", TUESDAY),  # a run that only confirmed it
        ("2027-01-01", TUESDAY),
    ],
)
def test_moments(moment, found):
    assert snapshot_at(kept(MONDAY, TUESDAY), moment) == found


@pytest.mark.parametrize(
    "moment", ["", "yesterday", "2026-11-17T02:00:00", "2026-02-30", MONDAY[:9]]
)
def test_what_is_no_moment(moment):
    with pytest.raises(TimeUnclear, match=r"give a day \(2026-11-18\), a time with its zone"):
        snapshot_at(kept(MONDAY), moment)
