"""Data that change from run to run: drift, the change report, replay, and what is kept."""

import json
import runpy

import pytest

from data.breweries.flow import FLOW
from data.breweries.table import TABLE
from data.medallion.host.envfile import PROJECT
from data.medallion.lake import parquet
from data.medallion.lake.manifest import StoredObject
from data.medallion.layers.errors import DriftStopped
from sandbox.faults import Faults
from tests.conftest import raw_get
from tests.faults.runs import through_blocks


def changed(world, change):
    """Serve copies of the records that a function has changed; None takes one out."""
    records = [change(dict(record)) for record in world.api.records]
    world.api.records = [record for record in records if record is not None]


def report(world):
    return json.loads(raw_get(world.lake, "silver", FLOW.changes))


def noted(world):
    return {(drift.rule, drift.subject) for drift in world.manifest(FLOW.silver).drift}


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("row_fall", lambda r: r if r["id"] > "5" else None),
        ("value_gone", lambda r: r if r["country"] != "Ireland" else None),
        ("column_gone", lambda r: {**r, "phone": {"number": r["phone"]}}),
        (
            "ids_replaced",
            lambda r: {**r, "id": f"new-{r['id']}"} if r["id"] > "1" else {"id": r["id"]},
        ),
    ],
)
@pytest.mark.usefixtures("filled")
def test_a_change_that_needs_a_person_stops(world, rule, change):
    if rule == "ids_replaced":  # which is known once the new objects are there
        world.set(BREWERIES_STOP_ON=rule)
    before = {key: c for key, c in world.published().items() if not key.startswith("bronze")}
    keys = world.keys("silver")
    changed(world, change)
    log = world.fails(DriftStopped, "silver")
    assert {drift["rule"] for drift in log["facts"]["drifts"]} >= {rule}
    assert "BREWERIES_STOP_ON" in log["message"]
    after = {key: c for key, c in world.published().items() if not key.startswith("bronze")}
    assert after == before and world.keys("silver") == keys
    world.fails(DriftStopped, "silver")

    world.set(BREWERIES_STOP_ON="none")
    world.run(test=False)
    assert rule in {rule for rule, _ in noted(world)}
    world.patch.delenv("BREWERIES_STOP_ON")
    world.run(test=False)
    assert rule not in {rule for rule, _ in noted(world)}


@pytest.mark.usefixtures("filled")
def test_the_api_of_another_host_publishes_only_if_a_setting_allows_it(world):
    world.run(test=False, snapshot=world.manifest(FLOW.bronze).snapshot)  # a replay names no API
    before = world.published()
    world.set(BREWERIES_API_URL=world.api.url.replace("127.0.0.1", "localhost"))
    log = world.fails(DriftStopped, "bronze")
    assert "BREWERIES_STOP_ON without api_changed." in log["message"]
    assert world.published() == before
    world.set(BREWERIES_STOP_ON="none")
    world.run(test=False)
    assert "localhost" in world.manifest(FLOW.bronze).source.key


@pytest.mark.usefixtures("filled")
def test_a_replay_lets_nobody_elses_data_pass(world):
    first = world.manifest(FLOW.bronze).snapshot
    world.api.records = world.api.records[:100]
    world.fails(DriftStopped, "silver")
    # Bronze holds the other answer when the replay's silver block comes to it.
    module = runpy.run_path(str(PROJECT / "transformers/transform_breweries.py"))
    with pytest.raises(DriftStopped):
        module["transform_breweries"]({"run": world.earlier_run}, snapshot=first)


def test_data_without_a_usable_row_are_drawn_as_nothing(world):
    world.api.records = [{"id": "1", "name": None}]
    world.set(BREWERIES_STOP_ON="none")
    world.run()
    assert world.manifest(FLOW.gold[0]).rows_out == 0


@pytest.mark.usefixtures("filled")
def test_a_change_that_does_not_is_noted_in_the_manifest(world):
    first, *others = world.api.records
    odd = {**first, "phone": 12345, "country": "Chad", "brewery_type": "winery"}
    world.api.records = [{**record, "taps": 3} for record in (odd, *others)]
    world.run(test=False)
    assert noted(world) == {
        ("new_field", "taps"),
        ("type_changed", "phone"),
        ("new_value", "Chad"),
        ("unknown_value", "winery"),
    }


def to_silver():
    """A run as far as silver, which is all that drift needs."""
    through_blocks((FLOW.bronze, FLOW.silver))


LEAPS = {
    ("duplicate_leap", "duplicate"): lambda record: record,
    ("rejected_leap", "rejected"): lambda r: {**r, "name": None} if r["id"] < "1" else r,
    ("rows_moved", "rows"): lambda r: {**r, "country": "Japan"} if r["id"] > "8" else r,
    ("rows_recategorized", "rows"): lambda record: {**record, "brewery_type": "closed"},
    ("column_unreadable", "city"): lambda r: {**r, "city": [r["city"]]} if r["id"] < "2" else r,
    ("ids_replaced", "id"): lambda record: {**record, "id": f"new-{record['id']}"},
}


def test_a_leap_is_noted_once(world):
    world.set(BREWERIES_STOP_ON="none")
    world.api.records = world.api.records[:150]
    to_silver()
    found = {}
    for rule, subject in LEAPS:
        changed(world, LEAPS[rule, subject])
        repeated = 9 if rule == "duplicate_leap" else 0
        world.api.faults = Faults(rate_limit=0, duplicate=repeated)
        to_silver()
        others = {"type_changed", "new_value", "value_gone"}
        found[rule, subject] = {told for told in noted(world) if told[0] not in others}
    assert found == {leap: {leap} for leap in LEAPS}


@pytest.mark.usefixtures("filled")
def test_the_change_report_says_what_changed(world):
    first = report(world)
    assert (first["before"], first["counts"]["added"]) == (None, 600)
    records = [dict(record) for record in world.api.records]
    california = [r for r in records if r["state_province"] == "California"]
    gone, mover, closing, renamed = california[:4]
    records.remove(gone)
    mover["state_province"] = "Nevada"
    closing["brewery_type"] = "closed" if closing["brewery_type"] != "closed" else "bar"
    renamed["name"] += " II"
    records.append({**gone, "id": "11111111-1111-4111-8111-111111111111", "name": "Another"})
    old = world.manifest(FLOW.silver)
    world.api.records = records
    world.run(test=False)

    told, new = report(world), world.manifest(FLOW.silver)
    assert (told["before"], told["snapshot"], told["run"]) == (old.snapshot, new.snapshot, new.run)
    assert told["counts"] == new.changes.model_dump()
    one_each = dict.fromkeys(("added", "removed", "moved", "recategorized", "changed"), 1)
    assert told["counts"] == {**one_each, "partitions": 2}
    assert [row["id"] for row in told["removed"]] == [gone["id"]]
    assert [row["name"] for row in told["added"]] == ["Another"]
    assert told["moved"][0]["to"] == {"state": "Nevada"}
    counts = {place["state"]: place["after"] - place["before"] for place in told["partitions"]}
    assert counts == {"California": -1, "Nevada": 1}

    world.run(test=False)
    assert world.manifest(FLOW.silver).changes.added == 0
    assert report(world) == told


@pytest.mark.usefixtures("filled")
def test_a_report_survives_a_damaged_version_before(world):
    (victim, *_) = world.manifest(FLOW.silver).objects
    world.lake.store.remove("silver", [victim.key])
    changed(world, lambda record: {**record, "phone": "1"})
    world.run()
    assert report(world)["before_readable"] is False
    assert report(world)["counts"]["added"] == 600


@pytest.mark.usefixtures("filled")
def test_a_version_of_a_release_with_other_columns_is_compared_all_the_same(world):
    manifest = world.manifest(FLOW.silver)
    entries = []
    for entry in manifest.objects:
        table = parquet.decode(entry.key, world.lake.read("silver", entry), entry, TABLE.schema)
        content = parquet.encode(table.drop_columns("phone").append_column("fax", table["phone"]))
        key = entry.key.replace(".parquet", "-old.parquet")
        entries.append(StoredObject.of(key, entry.rows, content))
        world.lake.store.put("silver", key, content)
    values = {**manifest.profile.values, "fax": manifest.profile.values["phone"]}
    phones = values.pop("phone")
    profile = manifest.profile.model_copy(update={"values": values})
    older = {"objects": tuple(entries), "profile": profile}
    world.publish_manifest(FLOW.silver, manifest.model_copy(update=older))
    world.run()
    counts = report(world)["counts"]
    assert (counts["added"], counts["removed"], counts["changed"]) == (0, 0, phones)
    digests = [entry.sha256 for entry in manifest.objects]
    assert [entry.sha256 for entry in world.manifest(FLOW.silver).objects] == digests


def test_what_does_not_belong_to_silver_is_removed(world):
    strange = {"notes.txt", "country=Nowhere/notes.txt", "a/b/c.parquet"}
    for name in strange:
        world.lake.store.put("silver", f"{FLOW.silver.prefix}{name}", b"mine")
    world.run()
    assert not {f"{FLOW.silver.prefix}{name}" for name in strange} & {*world.keys("silver")}


@pytest.mark.slow
def test_history_expires_but_what_is_in_use_stays(world):
    world.set(BREWERIES_HISTORY_VERSIONS=2, BREWERIES_STOP_ON="none")
    snapshots = []
    for count in (600, 599, 598, 597, 596):
        world.api.records = world.api.records[:count]
        world.run(test=False)
        snapshots.append(world.manifest(FLOW.bronze).snapshot)
    assert kept(world) == snapshots[2:4]
    assert entries(world, FLOW.bronze) == entries(world, FLOW.chart_dataset) == [3, 4, 5]

    oldest = snapshots[2]
    world.run(test=False, snapshot=oldest)
    assert world.manifest(FLOW.silver).snapshot == oldest
    assert kept(world) == snapshots[3:]

    # Silver stays behind, and its answer with it.
    world.set(BREWERIES_STOP_ON="row_fall", BREWERIES_LARGEST_FALL_PERCENT=1)
    for count in (500, 499, 498, 497):
        world.api.records = world.api.records[:count]
        world.fails(DriftStopped, "silver")
    assert oldest in kept(world)
    assert len(kept(world)) == 3


def kept(world):
    """The earlier snapshots that bronze says it retains, and no other is there."""
    version = world.manifest(FLOW.bronze)
    objects = {version.only_object().key, *(one.object.key for one in version.retained)}
    assert {*world.lake.store.listed("bronze", FLOW.bronze.folder)} == objects
    return [one.snapshot for one in version.retained]


def entries(world, dataset):
    return world.lake.log(dataset).numbers()
