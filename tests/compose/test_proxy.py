"""Behind a proxy: the stack asks itself directly, and the API through the proxy."""

import json
import re
import shutil

import pytest
import yaml

from data.breweries.flow import FLOW
from tests.compose.stack import ROOT
from tests.waiting import wait_for

PROXY = "http://proxy:8888"


@pytest.fixture
def docker_s_own(tmp_path):
    """Docker's configuration, which puts a proxy into every container."""
    settings = {"httpProxy": PROXY, "httpsProxy": PROXY, "noProxy": "nothing.example"}
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"proxies": {"default": settings}}))
    return str(folder)


def test_the_first_run_completes_behind_a_proxy(project, docker_s_own, monkeypatch):
    tests = project.folder / "tests/compose"
    shutil.copy(tests / "docker-compose.proxy.yml", tests / "docker-compose.test.yml")
    project.prepare()
    project.compose("build", "mage")  # which reaches the package index without one
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_CONFIG", docker_s_own)
        patch.setenv("HTTP_PROXY", PROXY)
        patch.setenv("NO_PROXY", "somewhere.example")
        project.compose("up", "-d", "--no-build")
    project.wait_until_healthy()
    mage = project.mage()
    first = int(wait_for(lambda: mage.runs("breweries"))[0]["id"])
    assert project.end_of(first) == "completed"
    assert project.lake().version(FLOW.silver).rows_in == 300
    assert project.lake().version(FLOW.chart_dataset).objects
    asked = project.compose("logs", "--no-color", "proxy").stdout
    assert set(re.findall(r'"\w+ ([^" ]*[^/])/v1', asked)) == {"http://api.invalid"}
    assert asked.count(" HTTP/1.1") == asked.count("http://api.invalid/v1/breweries")
    told = project.run("docker", "exec", project.container("mage"), "env").stdout
    assert "zabbix-web,somewhere.example\n" in told


def test_every_service_is_told_what_is_the_stack_s_own():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    lasting = {name for name, service in services.items() if "restart" in service}
    for name, service in services.items():
        told = service["environment"]
        assert told["NO_PROXY"] == told["no_proxy"]
        assert lasting <= set(told["no_proxy"].split(",")), name
