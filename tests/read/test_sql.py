"""`make sql` and its kin, by the command that they call."""

from __future__ import annotations

import json
import sys

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.runs import new_run
from data.medallion.lake.store import Store
from data.medallion.read.__main__ import main

pytestmark = pytest.mark.server
FLOWS = ("--flow", "breweries")


def asked(capsys, *arguments):
    status = main([arguments[0], *FLOWS, *arguments[1:]])
    return status, capsys.readouterr()


@pytest.mark.parametrize(
    ("query", "shows"),
    [
        ("SELECT count(*) FROM silver", "57"),
        ("SELECT sum(brewery_count)::int FROM gold.state_brewery_type", "57"),
        ("SELECT count(*) FROM bronze WHERE record->>'name' IS NOT NULL", "57"),
        ("SELECT reason FROM rejected", "no name"),
        (
            "SELECT DISTINCT typeof(state) || typeof(latitude) FROM silver.breweries",
            "VARCHARDOUBLE",
        ),
        ("DESCRIBE silver", "brewery_type"),
        ("CREATE TABLE more AS FROM silver; SELECT 1 AS n; SELECT count(*) FROM more", "57"),
    ],
)
def test_sql(past, capsys, query, shows):
    status, told = asked(capsys, "sql", "--query", query)
    assert status == 0 and shows in told.out, told.err


def test_sql_of_another_day_from_a_file(past, capsys, monkeypatch, tmp_path):
    file = tmp_path / "query.sql"
    file.write_text("SELECT count(*) FROM silver;\n")
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        status, told = asked(capsys, "sql", "--at", past.snapshots[0])
    assert status == 0 and "60" in told.out


def test_a_table_is_fetched_when_it_is_named(past, capsys, monkeypatch):
    monkeypatch.setattr(Store, "stream", None)
    assert asked(capsys, "sql", "--query", "SHOW TABLES")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sql", "--query", "SELECT nome FROM silver"), 'Referenced column "nome" not found'),
        (("sql", "--query", "SELECT 'x'::int"), "Could not convert string"),
        (("sql", "--query", "SELEC"), "Parser Error"),
        (("sql", "--query", "FROM text"), "does not exist"),
        (("sql", "--query", "FROM silver", "--at", "soon"), "'soon' is no moment"),
        (("changes", "--start", "2020-01-01"), "Bronze retains no snapshot of 2020-01-01"),
        (("versions", "--flow", "buoys"), "There is no flow 'buoys'"),
    ],
)
def test_what_cannot_be_is_one_sentence(past, capsys, arguments, says):
    status, told = asked(capsys, *arguments)
    assert status == 1 and says in told.err
    assert told.err.count("\n") == 1 and told.out == ""


def test_without_duckdb(past, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    status, told = asked(capsys, "sql", "--query", "SELECT 1")
    assert status == 1 and told.err.startswith("SQL needs DuckDB")


def test_versions_and_changes(past, capsys):
    _, told = asked(capsys, "versions")
    assert [line.split()[0] for line in told.out.splitlines()[1:]] == past.snapshots
    _, told = asked(capsys, "changes", "--start", past.snapshots[0], "--end", past.snapshots[1])
    assert json.loads(told.out)["counts"]["removed"] == 1


# -- make check ---


def test_a_whole_lake(past, capsys):
    status, told = asked(capsys, "check")
    assert status == 0 and told.out.endswith("The lake is whole.\n"), told.out
    assert [line.split()[0] for line in told.out.splitlines()[1:-1]] == [
        dataset.path for dataset in FLOW.datasets
    ]


SAID = (
    "run", "snapshot", "sha256", "rows", "rows-in", "source-key", "source-sha256", "made-by",
    "replaces",
)  # fmt: skip


def said(store, layer, key):
    """What an object says of itself."""
    told = store.head(layer, key).metadata
    return {name: told[name] for name in SAID if name in told}


@pytest.fixture
def damaged(past):
    """The store of the lake, put in order afterwards."""
    store = past.world.lake.store
    kept = {
        (layer, key): (store.get(layer, key)[0], said(store, layer, key))
        for layer in ("bronze", "silver", "gold")
        for key in store.listed(layer, "")
    }
    yield store
    for layer in ("bronze", "silver", "gold"):
        store.remove(layer, [k for k in store.listed(layer, "") if (layer, k) not in kept])
    for (layer, key), (content, told) in kept.items():
        store.put(layer, key, content, metadata=told)


def test_what_is_wrong_is_found_with_its_remedy(past, damaged, capsys, monkeypatch):
    monkeypatch.setattr("data.medallion.lake.versions.REPLACEMENT_SECONDS", 0.1)
    store, silver = damaged, past.manifests[-1]["silver/breweries"]
    gone, other, *_ = silver.objects
    store.remove("silver", [gone.key])
    store.put("silver", other.key, b"other")
    store.put("silver", f"{FLOW.silver.prefix}left.parquet", b"")
    store.put("silver", "data/strange/x", b"")
    store.put("silver", f"scratch/{new_run()}/piece", b"")
    lease = {"run": "r", "seconds": 0.1, "holder": "h", "renewal": "x"}
    store.put("gold", FLOW.gold[0].lease, json.dumps(lease).encode())
    (history, *_) = store.listed("bronze", FLOW.bronze.history)
    store.put("bronze", history, b"[]", metadata=said(store, "bronze", history))
    manifest = past.manifests[-1]["gold/state_brewery_type"]
    gold = manifest.model_copy(update={"snapshot": past.snapshots[0]})
    store.put("gold", FLOW.gold[0].manifest, gold.to_bytes())
    status, told = asked(capsys, "check")
    assert status == 1
    for words in (
        f"silver/breweries: silver/{gone.key} is missing; run the pipeline",
        f"silver/{other.key} has sha256", f"bronze/breweries: bronze/{history} has sha256",
        "1 objects that no manifest names, such as data/breweries/left.parquet. Run the pipeline",
        "silver/data/: 1 objects of no dataset of this project, such as data/strange/x; remove",
        "silver/scratch/: 1 pieces of runs that died",
        "gold/leases/state_brewery_type.json: this lease is held by nobody; the next run takes",
        f"gold/state_brewery_type: it is of {past.snapshots[0]} and silver of {past.snapshots[2]}",
        "gold/visualizations: it is of", "9 findings",
    ):  # fmt: skip
        assert words in told.out, told.out


@pytest.mark.parametrize(
    ("dataset", "change", "says"),
    [
        (FLOW.silver, {"rows_out": 3}, "its objects have 57 rows, and it says 3"),
        (FLOW.silver, {"rows_duplicate": 3}, "61 rows are accounted for of 58"),
        (FLOW.gold[0], {"rows_in": 9}, "it was made from 9 rows, and silver has 57"),
        (FLOW.silver, {"manifest_version": 3}, "to the release that wrote it"),
    ],
)
def test_a_manifest_that_does_not_add_up(past, damaged, capsys, monkeypatch, dataset, change, says):
    monkeypatch.setattr("data.medallion.lake.versions.REPLACEMENT_SECONDS", 0.1)
    changed = past.manifests[-1][dataset.path].model_copy(update=change)
    damaged.put(dataset.layer, dataset.manifest, changed.to_bytes())
    status, told = asked(capsys, "check")
    assert status == 1 and says in told.out, told.out


def test_an_empty_lake(small, capsys):
    status, told = asked(capsys, "check")
    assert status == 1 and told.out.count("run the block") == len(FLOW.datasets)
