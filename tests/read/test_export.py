"""`make export`, by the command that it calls; each file is opened by a reader of its format."""

import csv
import gc
import json
import os
import re
import subprocess
import zipfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.dictionary import dictionary
from data.medallion.errors import MedallionError
from data.medallion.read import export
from data.medallion.read.__main__ import main

pytestmark = pytest.mark.server
SILVER, GOLD = "silver/breweries", "gold/state_brewery_type"


def exported(capsys, file, **options):
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    status = main(["export", "--flow", "breweries", "--to", str(file), *words])
    return status, capsys.readouterr()


def sheets(file):
    """Each sheet's text, by its name, as the XML that Excel reads."""
    with zipfile.ZipFile(file) as book:
        names = re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode())
        pages = (f"xl/worksheets/sheet{n}.xml" for n in range(1, len(names) + 1))
        return {name: book.read(p).decode() for name, p in zip(names, pages, strict=True)}


def test_a_database_has_all_tables_their_comments_and_what_is_null(past, capsys, tmp_path):
    file = tmp_path / "lake.duckdb"
    status, told = exported(capsys, file)
    assert status == 0 and f"{file}  {file.stat().st_size:,} bytes" in told.out, told.err
    with duckdb.connect(file, read_only=True) as database:
        ask = lambda query: database.execute(query).fetchall()  # noqa: E731
        for path, entries in dictionary(FLOW):
            layer, name = path.split("/")
            columns = "column_name, comment, is_nullable FROM duckdb_columns()"
            where = f"WHERE schema_name = '{layer}' AND table_name = '{name}'"
            found = ask(f"SELECT {columns} {where}")
            assert found == [(e.name, e.about, e.nullable) for e in entries]
        assert ask("SELECT count(*) FROM silver") == [(57,)]
        assert ask("SELECT record->>'id' FROM rejected") == [('é"1',)]
        ((version,),) = ask("SELECT comment FROM duckdb_tables() WHERE schema_name = 'gold'")
        assert version.startswith("version 3, run ")
        ((tags,),) = ask("SELECT tags FROM duckdb_databases() WHERE NOT internal")
        assert tags["storage_version"] == "v1.0.0+"  # that of drivers that are years old


def test_csv_parquet_and_geojson_have_the_rows_of_a_moment(past, capsys, tmp_path):
    first = past.snapshots[0]
    rows = read.table(SILVER, at=first)
    assert exported(capsys, tmp_path / "a.csv", at=first)[0] == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        lines = [*csv.DictReader(file)]
    assert [line["id"] for line in lines] == rows["id"].to_pylist() and len(lines) == 60
    assert exported(capsys, tmp_path / "a.parquet", at=first)[0] == 0
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.equals(rows) and found.schema.field("id").metadata[b"comment"]
    _, told = exported(capsys, tmp_path / "a.geojson", at=first)
    places = json.loads((tmp_path / "a.geojson").read_text())
    assert places["type"] == "FeatureCollection"
    points = [f["geometry"] and f["geometry"]["coordinates"] for f in places["features"]]
    pairs = zip(rows["longitude"].to_pylist(), rows["latitude"].to_pylist(), strict=True)
    assert points == [None if None in pair else [*pair] for pair in pairs]
    assert f"{points.count(None)} rows have no coordinates" in told.out


def test_a_book_has_a_sheet_a_table_and_no_formula(past, capsys, tmp_path):
    file = tmp_path / "lake.xlsx"
    assert exported(capsys, file)[0] == 0
    found = sheets(file)
    names = ["silver breweries", "rejected breweries", "gold state_brewery_type", "dictionary"]
    assert [*found] == names
    assert found[names[0]].count("<row ") == 58 and "frozen" in found[names[0]]
    assert "degrees north" in found["dictionary"]
    odd = ["=1+1", "{=1}", "http://a.example", "_x0041_", "\U0001f37a" * 20_000]
    rows = pa.table({"text": odd, "number": [2**60, 1, None, 2, 3]})
    notes = export.write(FLOW, {SILVER: rows}, tmp_path / "odd.xlsx", "xlsx")
    (sheet, _) = sheets(tmp_path / "odd.xlsx").values()
    assert "<f>" not in sheet and "hyperlink" not in sheet
    assert all(f">{text}<" in sheet for text in ("=1+1", "{=1}", "http://a.example", str(2**60)))
    assert "_x005F_x0041_" in sheet and notes[0].startswith("1 texts of more than 32,767")
    long = pa.table({"n": pa.nulls(export.SHEET_ROWS)})
    with pytest.raises(MedallionError, match="1,048,576 rows, and a sheet of Excel holds"):
        export.write(FLOW, {SILVER: long}, tmp_path / "long.xlsx", "xlsx")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.txt", {}, "'txt' is no format of this command; choose one of duckdb, csv,"),
        ("a.csv", {"table": "silver/x"}, "There is no 'silver/x' to read; choose one of bronze/"),
        ("a.csv", {"at": "soon"}, "'soon' is no moment"),
        ("a.geojson", {"table": GOLD}, "gold/state_brewery_type has no coordinates"),
        ("there.csv", {}, "there.csv is there already; name another by TO=, or replace it with"),
        ("there.csv/a.csv", {}, "a.csv cannot be written (File exists)"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    past, capsys, tmp_path, name, options, says
):
    (tmp_path / "there.csv").write_text("mine")
    status, told = exported(capsys, tmp_path / name, **options)
    assert status == 1 and says in told.err and told.err.count("\n") == 1
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_a_file_is_replaced_where_that_is_asked_for(past, capsys, tmp_path):
    (file := tmp_path / "there.csv").write_text("mine")
    assert exported(capsys, file, overwrite="1", table=GOLD)[0] == 0
    assert file.read_text().startswith('"country","state"')


@pytest.fixture
def small_disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", tmp_path]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


# xlsxwriter leaves its file for the garbage collector, which cannot write the rest of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", export.FORMATS)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(past, small_disk, form):
    rows = read.table(SILVER)
    many = pa.concat_tables([rows] * 200)
    many = many.append_column("random", pa.array(os.urandom(50).hex() for _ in range(len(many))))
    with pytest.raises(MedallionError, match=r"cannot be written \(.*[Nn]o space"):
        export.write(FLOW, {SILVER: many}, small_disk / f"a.{form}", form)
    gc.collect()
    assert [*small_disk.iterdir()] == []
