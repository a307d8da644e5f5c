"""docker-compose as the user types it: it starts, runs by itself, is safe, and comes back."""

import json
import re
import signal
import subprocess
from collections import Counter

import pytest

from compose.prepare import MINIO_USER
from data.breweries.flow import FLOW
from data.medallion.layers.chart import STARTS
from tests.compose.stack import TOKEN, USER, Stack
from tests.programs import running
from tests.waiting import wait_for

SERVICES = ("minio", "mage")


def _start(stack: Stack) -> int:
    mage = stack.mage()
    return mage.start(mage.triggers("breweries")["on_demand"])


def test_the_first_run_starts_by_itself_and_fills_the_lake(stack):
    mage = stack.mage()
    first = wait_for(lambda: mage.runs("breweries"))[0]
    assert stack.end_of(int(first["id"])) == "completed"
    lake = stack.lake()
    chart = lake.version(FLOW.chart_dataset)
    assert lake.read("gold", chart.only_object()).startswith(STARTS["png"])
    assert lake.version(FLOW.silver).rows_in == 3000
    assert (stack.folder / "data/visualizations/breweries_aggregated.png").stat().st_uid == USER


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_root_or_may_become_it(stack, service):
    processes = stack.run("docker", "top", stack.container(service), "-eo", "pid,uid").stdout
    users = {line.split()[1] for line in processes.splitlines()[1:]}
    assert users == {str(USER if service == "mage" else MINIO_USER)}
    assert "no-new-privileges" in stack.inspect(service, ".HostConfig.SecurityOpt")
    assert stack.inspect(service, ".HostConfig.CapDrop") == "[ALL]"


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_open_to_this_machine_only(stack, service):
    published = stack.run("docker", "port", stack.container(service)).stdout.split("\n")
    hosts = {line.split("-> ")[1].rpartition(":")[0] for line in published if line}
    assert hosts == {"127.0.0.1"}


def test_the_image_holds_the_pipeline_and_nothing_else(stack):
    inside = stack.run("docker", "run", "--rm", "breweries-mage", "ls", "-A", "/app").stdout
    assert inside.split() == ["compose", "data", "monitoring"]


def test_any_flow_s_settings_reach_mage_and_no_secret_of_another_service_does(stack):
    told = json.loads(stack.inspect("mage", "json .Config.Env"))
    inside = dict(line.split("=", 1) for line in told if "=" in line)
    assert inside["STATIONS_API_TOKEN"] == TOKEN
    assert inside["BREWERIES_API_CRAWLS"] == stack.settings["BREWERIES_API_CRAWLS"]
    assert inside["MINIO_ENDPOINT"] == "minio:9000"
    others = ["MINIO_READER_SECRET_KEY", "GRAFANA_PASSWORD", "ZABBIX_PASSWORD"]
    others.append("ZABBIX_DB_PASSWORD")
    assert all(stack.settings[name] and not inside[name] for name in others)


def test_make_trigger_refuses_a_flow_that_is_none(stack):
    command = ("make", "trigger", "FLOW=stations", f"COMPOSE={' '.join(stack.command)}")
    done = stack.run(*command, check=False)
    assert done.returncode != 0
    assert "There is no flow 'stations', as data/stations/flow.py is missing" in done.stderr


def test_make_trigger_runs_the_pipeline_and_says_how_it_ended(stack):
    done = stack.run("make", "trigger", f"COMPOSE={' '.join(stack.command)}")
    blocks = ("extract_breweries_data", "transform_breweries", "aggregated_columns", "data_viz")
    for block in blocks:
        assert f"{block:24}completed" in done.stdout
    assert re.search(r"^run \d+ completed$", done.stdout, re.MULTILINE)


def test_logs_are_followed(stack):
    command = ["make", "logs", f"COMPOSE={stack.compose_command}"]
    with running(command, signal.SIGINT, cwd=stack.folder, stdout=subprocess.PIPE) as following:
        assert any(b"mage" in line for line in following.stdout)
        assert following.poll() is None


def test_runs_that_meet_all_complete(stack):
    numbers = [_start(stack) for _ in range(3)]
    mage, most = stack.mage(), 0

    def all_ended() -> bool:
        nonlocal most
        statuses = Counter(run["status"] for run in mage.runs("breweries"))
        most = max(most, statuses["running"])
        return not statuses["running"] and not statuses["initial"]

    wait_for(all_ended)
    assert most <= 2
    assert [stack.end_of(number) for number in numbers] == ["completed"] * 3


def test_the_schedule_fires(stack):
    mage = stack.mage()
    schedule = mage.triggers("breweries")["every_minute"]["id"]

    def scheduled() -> list[dict]:
        return [run for run in mage.runs("breweries") if run["pipeline_schedule_id"] == schedule]

    before = len(scheduled())
    newest = wait_for(lambda: len(found := scheduled()) > before and found[-1])
    assert stack.end_of(int(newest["id"])) == "completed"


@pytest.mark.parametrize("end", [("kill", "mage"), ("restart",)])
def test_a_run_ended_with_its_container_is_taken_up_again(stack, end):
    number = _start(stack)
    mage = stack.mage()
    wait_for(lambda: any(block["status"] == "running" for block in mage.run(number)["block_runs"]))
    stack.compose(*end)
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    assert stack.end_of(number) == "completed"


def test_a_store_that_comes_up_late_is_waited_for(stack):
    stack.compose("stop", "minio")
    number = _start(stack)
    mage = stack.mage()
    wait_for(lambda: any(block["status"] != "initial" for block in mage.run(number)["block_runs"]))
    stack.compose("start", "minio")
    assert stack.end_of(number) == "completed"


def test_it_stops_when_told_and_comes_back_with_its_data(stack):
    stack.compose("stop", "--timeout", "30")
    for service in SERVICES:
        container = stack.compose("ps", "-a", "-q", service, check=False).stdout.strip()
        code = stack.run("docker", "inspect", "-f", "{{.State.ExitCode}}", container).stdout
        assert code.strip() != "137", f"{service} had to be killed"
    stack.run("make", "down", f"COMPOSE={stack.compose_command}")
    stack.compose("up", "-d")
    stack.wait_until_healthy()
    assert stack.lake().version(FLOW.silver).rows_in == 3000
    assert len(stack.mage().runs("breweries")) > 5
