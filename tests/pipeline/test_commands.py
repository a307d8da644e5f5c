"""The commands as the user types them: exit status, what is printed, what is left."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from sandbox.faults import Faults

ROOT = Path(__file__).resolve().parents[2]
MAGE = Path(sys.executable).with_name("mage")


def mage_run(*arguments):
    command = [MAGE, "run", "data", "breweries", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120
    )


def test_mage_run_fills_the_lake(world):
    done = mage_run()
    assert done.returncode == 0, done.stderr
    assert world.manifest(FLOW.chart).run == world.manifest(FLOW.silver).run
    assert re.search(r"^  data_viz +\d+ rows +1 objects +1 new", done.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_mage_run_replays_a_snapshot(world):
    first = world.manifest(FLOW.silver)
    world.api.records = world.api.records[:-1]
    world.run(test=False)
    done = mage_run("--runtime-vars", json.dumps({"snapshot": first.snapshot}))
    assert done.returncode == 0, done.stderr
    assert world.manifest(FLOW.silver).objects == first.objects


def test_a_block_that_fails_ends_mage_run_with_1_and_a_log(world, store):
    world.set(BREWERIES_API_ATTEMPTS=1)
    world.api.faults = Faults(rate_limit=0, error_rate=1)
    done = mage_run()
    assert done.returncode == 1
    ((key, log),) = world.logs("bronze").items()
    assert key == f"logs/{log['run']}-extract_breweries_data.json"
    assert log.keys() == {
        "time",
        "flow",
        "layer",
        "block",
        "run",
        "attempt",
        "exception_type",
        "message",
        "facts",
        "working_on",
        "traceback",
    }
    assert log["message"] in done.stdout
    assert f"The error log is bronze/{key}" in done.stdout
    for name in ("MINIO_SECRET_KEY", "MINIO_ACCESS_KEY"):
        assert store[name] not in done.stdout + done.stderr + json.dumps(log)


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_block_run_alone_is_tried_again_as_the_project_says(world):
    world.lake.store.put("bronze", "data/breweries/breweries_raw.json", b"spoilt")
    done = mage_run("--block-uuid", "transform_breweries")
    assert done.returncode != 0
    (log,) = world.logs("silver").values()
    assert (log["exception_type"], log["attempt"]) == ("ObjectDiffers", 3)


@pytest.mark.slow
def test_a_missing_setting_ends_mage_run_with_1_and_a_sentence(world):
    world.set(MINIO_SECRET_KEY="")
    done = mage_run()
    assert done.returncode == 1
    assert (
        "MINIO_SECRET_KEY is required and not set; set it in the environment or in .env"
        in done.stdout
    )
    (spooled,) = world.spooled()
    assert str(spooled) in done.stdout
