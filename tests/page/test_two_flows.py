"""Two flows in one project and one lake, under Mage's scheduler: one fails, one does not."""

import os
import subprocess
import sys

import pytest
import requests

from data.medallion.host.envfile import read_envfile
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.compose.stack import copy
from tests.page.web import web
from tests.programs import running
from tests.waiting import wait_for

ENDED = {"completed", "failed"}
FLOWS = ("breweries", "stations")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this one, with the flow that make dataset writes, whose API is not there."""
    folder = tmp_path_factory.mktemp("checkout")
    copy(folder, ())
    subprocess.run(
        [sys.executable, "-m", "sandbox", "dataset", "--name", "stations"], cwd=folder, check=True
    )
    return folder


def run(server, pipeline):
    """Start a run, and tell how it ended."""
    number = server.mage.start(server.mage.triggers(pipeline)["on_demand"])
    return wait_for(lambda: {server.mage.run(number)["status"]} & ENDED, seconds=300).pop()


def metrics(server, checkout):
    """What the exporter tells, started in the checkout, by name and labels."""
    told = {"env": {**os.environ, **read_envfile(server.store)}, "text": True}
    command = [sys.executable, "-m", "monitoring", "--port", "0"]
    with running(command, cwd=checkout, stdout=subprocess.PIPE, **told) as process:
        text = requests.get(process.stdout.readline().split()[-1], timeout=60).text
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.mark.slow
def test_one_fails_and_the_other_does_not(checkout, tmp_path):
    settings = {"STATIONS_API_URL": "http://127.0.0.1:9/stations", "STATIONS_API_ATTEMPTS": "1"}
    settings["LAKE_SPOOL"] = str(tmp_path / "spool")
    with (
        LocalBreweryApi(generate(200), faults=Faults(rate_limit=0)) as api,
        web(tmp_path, api, checkout, **settings) as server,
    ):
        assert run(server, "stations") == "failed"
        assert run(server, "breweries") == "completed"
        found = metrics(server, checkout)
    for layer in ("bronze", "silver", "gold"):
        ours, theirs = (f'{{dataset="{name}",layer="{layer}"}}' for name in FLOWS)
        assert found[f"lake_layer_failed{ours}"] == 0
        assert found[f"lake_run_output_rows{ours}"] > 0
        assert found[f"lake_layer_failed{theirs}"] == (layer == "bronze")
        assert found[f"lake_layer_up{theirs}"] == 1
    assert found['lake_schedule_interval_seconds{dataset="stations"}'] == 86_400


@pytest.mark.slow
def test_the_lake_of_the_demo_is_fed_by_local_apis_alone(checkout, tmp_path):
    with (
        LocalBreweryApi([]) as real,
        web(tmp_path, real, checkout, "demo", STATIONS_API_URL=real.url) as server,
    ):
        assert run(server, "breweries") == "completed"
        assert run(server, "stations") == "completed"
