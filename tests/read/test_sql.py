"""`make sql` and its kin, by the command that they call."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.breweries.flow import FLOW
from data.medallion.host.command import PIPE_CLOSED
from data.medallion.lake.manifest import sealed
from data.medallion.lake.runs import new_run
from data.medallion.lake.s3 import S3Store
from data.medallion.read.__main__ import main
from tests.conftest import empty
from tests.world import restore, stored

pytestmark = pytest.mark.server
FLOWS = ("--flow", "breweries")


def asked(capfd, *arguments):
    status = main([arguments[0], *FLOWS, *arguments[1:]])
    return status, capfd.readouterr()


@pytest.mark.parametrize(
    ("query", "shows"),
    [
        ("SELECT count(*) FROM silver", "57"),
        ("SELECT sum(brewery_count)::int FROM gold.state_brewery_type", "57"),
        ("SELECT count(*) FROM bronze WHERE record->>'name' IS NOT NULL", "57"),
        ("SELECT reason FROM rejected", "no name"),
        ("SELECT DISTINCT typeof(state) || typeof(latitude) FROM silver", "VARCHARDOUBLE"),
        ("SELECT count(*) FROM silver.breweries", "57"),
        ("DESCRIBE silver", "brewery_type"),
        ("CREATE TABLE more AS FROM silver; SELECT count(*) FROM more; -- all", "57"),
        ("SELECT name, id FROM silver WHERE false", "name,id\n"),
    ],
)
def test_a_query_is_answered(past, capfd, query, shows):
    status, told = asked(capfd, "sql", "--query", query)
    assert status == 0 and shows in told.out, told.err


def test_the_rows_are_whole_in_every_format(past, capfd):
    query = """SELECT id, 'a "b",
c|d' AS text, 1/0 AS none, DATE '2026-01-02' AS day, [1, NULL] AS list, 1.50 AS decimal, record
    FROM silver JOIN bronze ON record->>'id' = id ORDER BY id"""
    as_csv, as_json, markdown = (
        asked(capfd, "sql", "--query", query, "--format", form)[1].out
        for form in ("", "JSON", "markdown")
    )
    names, *rows = csv.reader(io.StringIO(as_csv, newline=""))
    assert len(rows) == 57 and rows[0][1] == 'a "b",\nc|d'
    assert rows[0][3:6] == ["2026-01-02", "[1, NULL]", "1.50"]
    items = json.loads(as_json, parse_constant=pytest.fail)
    assert [*items[0]] == names and [one["id"] for one in items] == [row[0] for row in rows]
    assert items[0]["record"]["id"] == items[0]["id"] and items[0]["none"] is None
    assert markdown.count("\n") == 59 and '| a "b", c\\|d |' in markdown


def test_parquet_and_a_wide_table_go_to_a_file_whole(past, tmp_path):
    for form in ("parquet", "table"):
        command = [sys.executable, "-m", "data.medallion.read", "sql", *FLOWS, "--format", form]
        with (tmp_path / form).open("wb") as file:
            subprocess.run(command, input=b"FROM silver", stdout=file, check=True)
    assert pq.read_table(tmp_path / "parquet").shape == (57, 14)
    shown = (tmp_path / "table").read_text()
    assert "website_url" in shown and shown.count("United States") > 1 and "shown" not in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_and_a_closed_pipe_are_no_traceback(past):
    command = [sys.executable, "-m", "data.medallion.read", "sql", *FLOWS]
    ask = partial(subprocess.run, command, input=b"FROM range(1000000)", stderr=subprocess.PIPE)
    with Path("/dev/full").open("wb") as full:
        ended = ask(stdout=full)
    assert ended.returncode == 1 and ended.stderr.count(b"\n") == 1
    assert b"No space left on device" in ended.stderr
    reading, writing = os.pipe()
    os.close(reading)
    assert (ended := ask(stdout=writing)).returncode == PIPE_CLOSED and not ended.stderr


def test_sql_of_another_day_from_a_file(past, capfd, monkeypatch, tmp_path):
    file = tmp_path / "query.sql"
    file.write_text("SELECT count(*) FROM silver;\n")
    with file.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        status, told = asked(capfd, "sql", "--at", past.snapshots[0])
    assert status == 0 and "60" in told.out


def test_a_table_is_fetched_when_it_is_named(past, capfd, monkeypatch):
    monkeypatch.setattr(S3Store, "stream", None)
    assert asked(capfd, "sql", "--query", "SHOW TABLES")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("sql", "--query", "SELECT nome FROM silver"), 'Referenced column "nome" not found'),
        (("sql", "--query", "SELECT 'x'::int"), "Could not convert string"),
        (("sql", "--query", "SELEC"), 'near "SELEC".'),
        (("sql", "--query", "FROM text"), "; SHOW ALL TABLES lists the tables and columns."),
        (("sql", "--query", "SELECT 1; SELECT 2"), "csv is the format of one result"),
        (("sql", "--format", "xml"), "choose one of table, csv, json, parquet, markdown."),
        (("sql", "--query", "FROM silver", "--at", "soon"), "'soon' is no moment"),
        (("changes", "--format", "csv"), "choose one of text, json."),
        (("changes", "--start", "2020-01-01"), "silver/breweries knows no version of 2020-01-01"),
        (("versions", "--flow", "buoys"), "There is no flow 'buoys'"),
    ],
)
def test_what_cannot_be_is_one_sentence(past, capfd, arguments, says):
    status, told = asked(capfd, *arguments)
    assert status == 1 and says in told.err
    assert told.err.count("\n") == 1 and told.out == ""


def test_without_duckdb_a_sentence_says_what_to_install(past, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "data.medallion.read.sql", raising=False)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    status, told = asked(capfd, "sql", "--query", "SELECT 1")
    assert status == 1 and told.err.startswith("sql needs duckdb, which is not installed here")


def test_versions_are_listed_and_compared(past, capfd):
    _, told = asked(capfd, "versions")
    lines = [line.split() for line in told.out.splitlines()[1:]]
    expected = zip("123", past.snapshots, strict=True)
    assert [(line[0], line[3]) for line in lines] == [*expected]
    counted = [" ".join(line[4:]) for line in lines]
    assert counted == ["62 60 0 0 0 0", "61 0 1 0 0 1", "58 1 3 0 0 1 current"]
    period = ("changes", "--start", past.snapshots[0], "--end", past.snapshots[1])
    _, told = asked(capfd, *period, "--format", "json")
    assert json.loads(told.out)["counts"]["removed"] == 1
    _, told = asked(capfd, *period)
    assert "\nremoved:\n" in told.out and "\nchanged:\n" in told.out and ", Another, " in told.out
    _, told = asked(capfd, "changes", "--end", past.snapshots[0])
    assert re.search("  added +60", told.out) and "all rows count as added" in told.out


# -- make check ---


def test_a_lake_without_a_finding_is_whole(past, capsys):
    status, told = asked(capsys, "check")
    assert status == 0 and told.out.endswith("The lake is whole.\n"), told.out
    paths = [dataset.path for dataset in FLOW.datasets]
    assert [line.split()[0] for line in told.out.splitlines()[1 : len(paths) + 1]] == paths


@pytest.fixture
def damaged(past):
    """The store of the lake, put in order afterwards."""
    lake = past.world.lake
    kept = stored(lake)
    yield lake.store
    empty(lake)
    restore(lake, kept)


def test_what_is_wrong_is_found_with_its_remedy(past, damaged, capsys):
    store, silver = damaged, past.manifests[-1]["silver/breweries"]
    gone, other, *_ = silver.objects
    store.remove("silver", [gone.key, FLOW.silver.entry(1)])
    store.put("silver", other.key, b"other")
    store.put("silver", f"{FLOW.silver.prefix}left.parquet", b"")
    store.put("silver", "data/strange/x", b"")
    store.put("silver", FLOW.rejected, b"[]")
    store.put("bronze", FLOW.bronze.manifest, b"{}")
    store.put("gold", FLOW.gold[0].entry(2), b"[" * 100_000)
    store.put("silver", f"scratch/{new_run()}/piece", b"")
    lease = {"run": "r", "seconds": 0.1, "holder": "h", "renewal": "x"}
    store.put("gold", FLOW.gold[0].lease, json.dumps(lease).encode())
    first = past.manifests[-1]["bronze/breweries"].retained[0].object.key
    store.put("bronze", first, b"[]")
    status, told = asked(capsys, "check")
    assert status == 1
    for words in (
        f"silver/breweries: silver/{gone.key} is missing; run the pipeline",
        f"silver/{other.key} has sha256",
        f"bronze/breweries: bronze/{first} has sha256",
        "bronze/data/breweries/_manifest.json is not the newest entry of the log. Run the pipel",
        f"silver/{FLOW.silver.entry(1)} is missing: what that version was is lost. Run the pip",
        f"silver/{FLOW.rejected} is not the copy that its version names. Run the pipeline again.",
        f"gold/{FLOW.gold[0].entry(2)} cannot be read, and what that version was is lost: remove",
        "1 objects that no version names, such as data/breweries/left.parquet. Run the pipeline",
        "silver: 1 objects of no dataset of this project, such as data/strange/x; remove",
        "silver/scratch/: 1 pieces of runs that died",
        "gold/leases/state_brewery_type.json: this lease is held by nobody; the next run takes",
        "11 findings",
    ):
        assert words in told.out, told.out


@pytest.mark.parametrize(
    ("dataset", "change", "says"),
    [
        (FLOW.silver, {"rows_out": 3}, "its objects have 57 rows, and it says 3"),
        (FLOW.silver, {"rows_duplicate": 3}, "61 rows are accounted for of 58"),
        (FLOW.gold[0], {"rows_in": 9}, "it was made from 9 rows, and silver has 57"),
        (FLOW.gold[0], {"snapshot": "another"}, "it is of another and silver of 2"),
        (FLOW.silver, {"manifest_version": 4}, "to the release that wrote it"),
    ],
)
def test_a_version_that_does_not_add_up_is_found(past, damaged, capsys, dataset, change, says):
    changed = past.manifests[-1][dataset.path].model_copy(update=change)
    for key in (dataset.manifest, dataset.entry(changed.version)):
        damaged.put(dataset.layer, key, sealed(changed))
    status, told = asked(capsys, "check")
    assert status == 1 and says in told.out, told.out
