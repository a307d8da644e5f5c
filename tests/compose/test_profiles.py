"""The profiles `monitoring` and `zabbix` as the user starts them, where their images can be had."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from tests.compose.stack import ROOT, Stack, copy, name_of
from tests.monitoring.boards import BOARDS
from tests.waiting import wait_for

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
# What .ci/run has made where no image can be had.
STAND_IN = '{{index .Config.Labels "rehearsal.only"}}'
PORTS = {
    "monitoring": ("EXPORTER_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT"),
    "zabbix": ("EXPORTER_PORT", "ZABBIX_PORT"),
}


def images(profile: str) -> Iterator[str]:
    """Those of a profile that are not built here."""
    for service in SERVICES.values():
        if "build" not in service and profile in service.get("profiles", [profile]):
            default = re.sub(r"\$\{MINIO_IMAGE:-(.*)\}", r"\1", service["image"])
            chosen = os.environ.get("MINIO_IMAGE", default)
            yield chosen if "MINIO_IMAGE" in service["image"] else default


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def started(request, command, tmp_path) -> Iterator[tuple[Stack, str]]:
    """A profile as its make target starts it, and what that printed."""
    profile, target = request.param
    for image in images(profile):
        if docker("image", "inspect", image).returncode and docker("pull", "-q", image).returncode:
            pytest.skip(f"{image} cannot be had")
        if docker("image", "inspect", "-f", STAND_IN, image).stdout.strip() == "true":
            pytest.skip(f"{image} is a stand-in, which knows no users")
    chosen = {"MINIO_IMAGE": os.environ["MINIO_IMAGE"]} if "MINIO_IMAGE" in os.environ else {}
    with copy(tmp_path / name_of(profile), command, "--profile", profile) as stack:
        stack.prepare(*PORTS[profile], **chosen)
        yield stack, stack.run("make", target, f"COMPOSE={stack.compose_command}").stdout


def get(stack: Stack, port: str, path: str, **more: Any) -> Any:
    answer = requests.get(f"http://127.0.0.1:{stack.settings[port]}{path}", timeout=10, **more)
    assert answer.ok, answer.text
    return answer.json()


def ask_zabbix(stack: Stack, method: str, token: str = "", **parameters: Any) -> Any:
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = f"http://127.0.0.1:{stack.settings['ZABBIX_PORT']}/api_jsonrpc.php"
    return requests.post(address, json=call, headers=headers, timeout=10).json()


@pytest.mark.parametrize("started", [("monitoring", "monitor")], indirect=True)
def test_make_monitor_starts_what_sees_and_tells(started):
    stack, said = started
    assert f"http://127.0.0.1:{stack.settings['GRAFANA_PORT']}" in said

    def jobs():
        found = get(stack, "PROMETHEUS_PORT", "/api/v1/targets")["data"]["activeTargets"]
        return {target["labels"]["job"] for target in found if target["health"] == "up"}

    wait_for(lambda: jobs() == {"lake", "alertmanager", "minio", "minio-buckets"}, 120)
    told = get(stack, "ALERTMANAGER_PORT", "/api/v2/status")["config"]["original"]
    assert "receiver: messages" in told
    sent = (
        "docker-compose exec -T alertmanager amtool alert add Test severity=critical "
        '--annotation=summary="A test" --alertmanager.url=http://127.0.0.1:9093'
    )
    stack.compose(*shlex.split(sent)[1:])
    (alert,) = get(stack, "ALERTMANAGER_PORT", "/api/v2/alerts?filter=alertname=Test")
    assert alert["annotations"]["summary"] == "A test"
    owner = ("owner", stack.settings["GRAFANA_PASSWORD"])
    boards = get(stack, "GRAFANA_PORT", "/api/search?type=dash-db", auth=owner)
    assert {board["uid"] for board in boards} == {f"lake-{name}" for name in BOARDS}


@pytest.mark.parametrize("started", [("zabbix", "zabbix")], indirect=True)
def test_make_zabbix_starts_one_that_watches_and_knows_no_common_password(started):
    stack, said = started
    assert "Zabbix watches http://exporter:9817" in said
    assert "error" in ask_zabbix(stack, "user.login", username="Admin", password="zabbix")
    password = stack.settings["ZABBIX_PASSWORD"]
    token = ask_zabbix(stack, "user.login", username="Admin", password=password)["result"]

    def up():
        told = {"filter": {"key_": "lake.up"}, "output": ["lastvalue"], "monitored": True}
        items = ask_zabbix(stack, "item.get", token, **told)
        return [float(item["lastvalue"]) for item in items["result"]] == [1]

    wait_for(up, 120)
