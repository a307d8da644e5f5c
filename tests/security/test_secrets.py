"""The store's keys are planted as canaries, and looked for wherever a run leaves something."""

import io
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import LAYERS
from sandbox.faults import Faults
from tests.conftest import raw_get

MAGE = Path(sys.executable).with_name("mage")


def run(world, folder):
    """`mage run`, and all that it leaves: printed, in files, in the lake, in process lists."""
    commands, ended = set(), threading.Event()

    def watch():
        while not ended.wait(0.2):
            for process in psutil.process_iter(["cmdline"]):
                commands.add(" ".join(process.info["cmdline"] or ()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = subprocess.run(
        [MAGE, "run", "data", "breweries", "--test"],
        cwd=PROJECT.parent,
        env={**os.environ, "MAGE_DATA_DIR": str(folder), "LOG_LEVEL": "DEBUG"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    ended.set()
    watcher.join()
    left = {"stdout": done.stdout, "stderr": done.stderr, "commands": "\n".join(commands).encode()}
    assert b"mage run" in left["commands"]
    for place in (folder, world.folder, PROJECT / "pipelines"):
        left |= {str(f): f.read_bytes() for f in place.rglob("*") if f.is_file()}
    for layer in LAYERS:
        for key in world.lake.store.listed(layer, ""):
            content = raw_get(world.lake, layer, key)
            if key.endswith(".parquet"):  # compressed
                content = repr(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
            left[f"{layer}/{key}"] = content
            told = world.lake.store._client.stat_object(layer, key).metadata
            left[f"{layer}/{key} metadata"] = repr(dict(told)).encode()
    return done.returncode, left


def places_of(canaries, left):
    return {
        place
        for place, content in left.items()
        if any(canary.encode() in content for canary in canaries)
    }


@pytest.fixture
def canaries(store):
    return [store["MINIO_ACCESS_KEY"], store["MINIO_SECRET_KEY"]]


@pytest.mark.slow
def test_the_search_would_find_them(world, canaries, tmp_path):
    world.lake.store.put("gold", "logs/planted.json", canaries[1].encode())
    _, left = run(world, tmp_path / "mage")
    assert places_of(canaries, left) == {"gold/logs/planted.json"}


def test_a_run_that_fails_tells_no_keys(world, canaries, tmp_path):
    world.api.faults = Faults(rate_limit=0, error_rate=1)
    world.set(BREWERIES_API_ATTEMPTS=1)
    status, left = run(world, tmp_path / "mage")
    assert status == 1
    ((key, log),) = world.logs("bronze").items()
    assert key == f"logs/{log['run']}-extract_breweries_data.json"
    for told in (log["message"], f"The error log is bronze/{key}"):
        assert told.encode() in left["stdout"]
    assert places_of(canaries, left) == set()


@pytest.mark.parametrize(
    ("wrong", "end"),
    [
        ("MINIO_SECRET_KEY", ""),
        pytest.param("MINIO_ACCESS_KEY", "", marks=pytest.mark.slow),
        # As secrets of Kubernetes often end.
        pytest.param("MINIO_ACCESS_KEY", "\n", marks=pytest.mark.slow),
        pytest.param("MINIO_SECRET_KEY", "é", marks=pytest.mark.slow),
    ],
)
def test_keys_that_the_store_refuses_are_not_told(world, canaries, tmp_path, wrong, end):
    canary = f"canary{secrets.token_hex(12)}"
    world.set(**{wrong: canary + end})
    status, left = run(world, tmp_path / "mage")
    assert status == 1
    assert world.spooled()
    assert places_of([*canaries, canary], left) == set()


@pytest.mark.slow
def test_a_store_that_cannot_be_reached_tells_no_keys(world, canaries, tmp_path):
    world.set(MINIO_ENDPOINT="127.0.0.1:9")
    status, left = run(world, tmp_path / "mage")
    assert status == 1
    assert world.spooled()
    assert places_of(canaries, left) == set()


@pytest.mark.slow
def test_a_malformed_setting_tells_no_keys(world, canaries, tmp_path):
    world.set(BREWERIES_API_PAGE_SIZE="many")
    status, left = run(world, tmp_path / "mage")
    assert status == 1
    assert places_of(canaries, left) == set()
