"""Mage as `make web` starts it removes its leftovers by itself, and its page still has the rest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from compose.trigger import ENDED
from sandbox import ROOT
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.housekeeping.mage import Mage
from tests.page.web import web
from tests.waiting import wait_for


def first_run(up, pipeline):
    """The number of the run that started by itself, once it has completed."""
    runs = wait_for(lambda: [r for r in up.mage.runs(pipeline) if r["status"] in ENDED])
    assert runs[0]["status"] == "completed"
    return int(runs[0]["id"])


def keep_house(folder: Path) -> None:
    """What its trigger starts, by hand, beside the running Mage."""
    done = subprocess.run(
        [ROOT / ".venv/bin/mage", "run", "data", "housekeeping"],
        cwd=ROOT, env={**os.environ, "MAGE_DATA_DIR": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Removed 300 runs, 600 folders" in done.stdout


@pytest.mark.slow
def test_old_runs_go_by_themselves_and_the_newest_is_still_to_be_read(tmp_path):
    records = list(generate(300))
    with LocalBreweryApi(records, faults=Faults(rate_limit=0)) as api, web(tmp_path, api) as up:
        newest = first_run(up, "breweries")
        first_run(up, "housekeeping")
        folder = up.folder / "mage/data"
        mage = Mage(create_engine(f"sqlite:///{folder}/mage-ai.db"), folder)
        daily = up.mage.triggers("breweries")["daily"]["id"]
        sizes = []
        for _ in range(2):
            old = {mage.run(days=60 + day, trigger=daily).id for day in range(300)}
            assert old <= mage.runs()
            full = mage.size()
            keep_house(up.folder / "mage")
            assert not old & mage.runs()
            sizes.append(mage.size())
            assert sizes[-1] <= full - 300 * 8 * 1500
        mage.engine.dispose()
        assert sizes[1] < 1.05 * sizes[0]
        assert [block["status"] for block in up.mage.run(newest)["block_runs"]] == ["completed"] * 4
        logs = up.mage._ask("GET", f"pipelines/breweries/logs?pipeline_run_id[]={newest}")["logs"]
        assert "extract_breweries_data" in str(logs)
