"""The documents' programs, run as they stand there."""

import json
import os
from unittest import mock

import pyarrow as pa
import pytest

from tests.docs.pages import GUIDE, PAGES, ROOT, page


def program(page):
    return "\n".join(block.text for block in page.blocks if block.language == "python")


README = program(page("README.md"))
LAKE = program(page("docs/lake.md"))
ODD = ("a/b", "a=b", "100%", "%41", "..", "🍺", "Hawke's Bay", "New  York", ".hidden")
OTHERS = [p for p in PAGES if program(p) not in {"", README, LAKE} and p.original != GUIDE]


@pytest.fixture
def run(world, store):
    """Runs a program on a lake of 600 breweries, some in states of odd names; what it named."""
    if store.get("MINIO_SECURE") == "true":
        pytest.skip("the recipes read a store without TLS")
    for record, state in zip(records := world.api.records, ODD, strict=False):
        record["state_province"] = state
    world.api.records = records
    world.run(test=False)
    file = world.folder / "store.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in store.items()))

    def run(text):
        names = {}
        text = text.replace(".sandbox/demo/store.env", str(file)).replace("breweries_lake", "data")
        exec(compile(text, "a document", "exec"), names)  # noqa: S102 - our own
        return names

    return run


def test_the_notebook_reads_the_lake(run, capsys, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    with mock.patch.dict(os.environ):
        cells = json.loads((ROOT / "docs" / "reading.ipynb").read_text())["cells"]
        assert not any(cell.get("outputs") for cell in cells)
        programs = ("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        names = run("\n".join(programs))
    assert names["silver"].num_rows > 100 and len(names["axes"].patches) > 3
    assert "degrees north" in capsys.readouterr().out


def test_no_other_page_has_a_program_that_nobody_runs():
    assert OTHERS == []


def test_each_glob_of_the_lake_reads_silver_with_its_partitions_as_text(run):
    names = run(README + LAKE)
    whole = names["read"].table("silver/breweries", ["id", "country", "state"])
    assert len(whole) == 600
    assert {*whole["state"].to_pylist()} >= {"New York", *ODD} - {"New  York"}
    for name in ("by_pandas", "by_polars", "by_duckdb"):
        found = names[name]
        table = pa.table({column: pa.array(found[column]) for column in whole.column_names})
        assert table.cast(whole.schema).sort_by("id").equals(whole.sort_by("id")), name
