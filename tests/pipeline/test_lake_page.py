"""What docs/lake.md says, held against a lake that real runs have made."""

import json
import re

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.partitions import PYARROW_NULL
from data.medallion.lake.s3 import S3Store
from data.medallion.source.errors import ApiEmpty
from tests.conftest import raw_get
from tests.docs.code import fits
from tests.docs.pages import named, page, table

PAGE = page("docs/lake.md")
UNUSABLE = {
    "not an object": "text",
    "no id": {},
    "no name": {"id": "1"},
    "no country": {"id": "2", "name": "X"},
    "no state": {"id": "3", "name": "X", "country": "Land"},
}
for value, reason in (("x" * 300, "too long for a key"), (PYARROW_NULL, "is the mark for null")):
    for column, other in (("country", "state_province"), ("state_province", "country")):
        record = {"id": column + reason, "name": "X", column: value, other: "Land"}
        UNUSABLE[f"{column.removesuffix('_province')} {reason}"] = record
CHANGED = table(PAGE.text.partition("breweries_changes.json` describes")[2])


@pytest.fixture(scope="module")
def written(lasting_world):
    """The name of each object that is stored, to its content; a copy's is its object's key."""
    found = {}
    for method, place in (("put", 0), ("create", 0), ("copy", 1)):
        real = getattr(S3Store, method)

        def store(store, layer, *names, _real=real, _place=place, **others):
            key, content = names[_place], names[1 - _place]
            found[f"{layer}/{key}"] = content
            return _real(store, layer, *names, **others)

        lasting_world.patch.setattr(S3Store, method, store)
    return found


@pytest.fixture(scope="module")
def lake(lasting_world, written):
    """A lake after a first run, one on data that changed, and one that failed."""
    world = lasting_world
    world.run(test=False)
    first, second, _, *others = world.api.records
    again = {**second, "id": f" {second['id']}"}  # another id to the API
    changed = [{**first, "name": "Another"}, second, again, *others, *UNUSABLE.values()]
    world.api.records = changed
    world.run(test=False)
    world.api.records = []
    world.fails(ApiEmpty, "bronze")
    world.api.records = changed
    return world


def content(lake, layer, key):
    return json.loads(raw_get(lake.lake, layer, key))


def test_it_names_every_object_and_no_other(lake, written):
    found = {f"{layer}/{key}" for layer in LAYERS for key in lake.lake.store.listed(layer, "")}
    found |= written.keys()
    names = {n for n in PAGE.names if re.match(r"(bronze|silver|gold|<layer>)/.*[^/]$", n)}
    names -= {dataset.path for dataset in FLOW.datasets}
    assert not {key for key in found if not any(fits(name, key) for name in names)}
    assert not {name for name in names if not any(fits(name, key) for key in found)}


def test_a_manifest_has_the_fields_that_it_tells_of_and_counts_each_row(lake):
    bronze, silver, gold, chart = (
        content(lake, dataset.layer, dataset.manifest) for dataset in FLOW.datasets
    )
    fields = {named(row[0])[0] for row in table(PAGE.section("The manifest"))}
    assert bronze.keys() == fields - {"profile", "changes"}
    assert silver.keys() == fields - {"parts"}
    assert gold.keys() == chart.keys() == fields - {"parts", "profile", "changes"}
    for before, after in ((bronze, silver), (silver, gold), (gold, chart)):
        assert after["rows_in"] == before["rows_out"]
        entry = f"data/{before['dataset']}/_versions/{before['version']:010}.json"
        assert after["source"] == {"key": entry, "sha256": before["sha256"]}
        assert content(lake, before["layer"], entry) == before
    assert bronze["source"]["key"] == lake.api.url
    assert len({m["snapshot"] for m in (bronze, silver, gold, chart)}) == 1
    assert {m["version"] for m in (bronze, silver, gold, chart)} == {2}
    assert [one["version"] for one in bronze["retained"]] == [1]
    assert (silver["rows_rejected"], silver["rows_duplicate"]) == (len(UNUSABLE), 1)
    assert silver["rows_in"] == silver["rows_out"] + len(UNUSABLE) + 1
    checks = [check for m in (bronze, silver, gold, chart) for check in m["checks"]]
    assert all(check["expected"] == check["found"] for check in checks)


def test_each_dataset_has_the_objects_and_copies_of_its_row(lake, written):
    for dataset, row in zip(FLOW.datasets, table(PAGE.section("Versions")), strict=True):
        layer, (name,), objects, fixed = row[0], *map(named, row[1:])
        assert (layer, name) == (dataset.layer, dataset.name)
        version = lake.manifest(dataset)
        assert fixed == [f"{layer}/{copy.key}" for copy in version.copies]
        for key in version.named:
            assert any(fits(known, f"{layer}/{key}") for known in objects), key
        for copy in version.copies:
            assert written[f"{layer}/{copy.key}"] == copy.object.key
            assert raw_get(lake.lake, layer, copy.key) == lake.lake.read(layer, copy.object)


def test_each_record_that_cannot_be_used_is_kept_with_its_reason(lake):
    rejected = content(lake, "silver", FLOW.rejected)
    bronze = content(lake, "bronze", FLOW.bronze.object)
    assert {row["reason"]: row["record"] for row in rejected} == UNUSABLE
    assert all(bronze[row["position"]] == row["record"] for row in rejected)
    reasons = re.findall(r"\*([^*`]+)\*", " ".join(PAGE.section("Silver").split()))
    assert set(reasons) >= UNUSABLE.keys()


def test_the_report_of_changes_has_the_fields_that_it_tells_of(lake):
    changes = content(lake, "silver", FLOW.changes)
    told = [name for row in CHANGED for name in named(row[0])]
    assert set(changes) == set(told) - {"before_readable"}
    assert changes["counts"] == lake.manifest(FLOW.silver).changes.model_dump()
    rows = {name: says for field, says in CHANGED for name in named(field)}
    assert [*changes["removed"][0]] == named(rows["removed"])
    assert [*changes["partitions"][0]] == named(rows["partitions"])
    assert len(changes["changed"]) == 1


# After the others: it empties the lake.
def test_the_changes_of_a_first_version(world):
    world.run(test=False)
    *fields, _, _, _ = CHANGED
    told = {name for row in fields for name in named(row[0])} - {"before_readable"}
    assert content(world, "silver", FLOW.changes).keys() == told
