"""Two flows in one project and one lake, under Mage's scheduler: one fails, one does not."""

import os
import subprocess
import sys

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from data.medallion.host.envfile import read_envfile
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.compose.stack import copy
from tests.page.web import web
from tests.waiting import wait_for

ENDED = {"completed", "failed"}


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
    """The exporter's, started in the checkout, by name, dataset and layer."""
    store = read_envfile(server.store)
    command = [sys.executable, "-m", "monitoring", "--port", "0"]
    with subprocess.Popen(
        command, cwd=checkout, env={**os.environ, **store}, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            address = process.stdout.readline().split()[-1]
            text = requests.get(address, timeout=60).text
        finally:
            process.terminate()
    return {
        (
            sample.name,
            sample.labels.get("dataset", ""),
            sample.labels.get("layer", ""),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.slow
def test_one_fails_and_the_other_does_not(checkout, tmp_path):
    with (
        LocalBreweryApi(generate(200), faults=Faults(rate_limit=0)) as api,
        web(
            tmp_path,
            api,
            checkout,
            STATIONS_API_URL="http://127.0.0.1:9/stations",
            STATIONS_API_ATTEMPTS="1",
            LAKE_SPOOL=str(tmp_path / "spool"),
        ) as server,
    ):
        assert run(server, "stations") == "failed"
        assert run(server, "breweries") == "completed"
        found = metrics(server, checkout)
    for layer in ("bronze", "silver", "gold"):
        assert found["lake_layer_failed", "breweries", layer] == 0
        assert found["lake_run_output_rows", "breweries", layer] > 0
        assert found["lake_layer_failed", "stations", layer] == (layer == "bronze")
        assert found["lake_layer_up", "stations", layer] == 1
    assert found["lake_schedule_interval_seconds", "stations", ""] == 86_400


@pytest.mark.slow
def test_the_lake_of_the_demo_is_fed_by_local_apis_alone(checkout, tmp_path):
    with (
        LocalBreweryApi([]) as real,
        web(tmp_path, real, checkout, "demo", STATIONS_API_URL=real.url) as server,
    ):
        assert run(server, "breweries") == "completed"
        assert run(server, "stations") == "completed"
