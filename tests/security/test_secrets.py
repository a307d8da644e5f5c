"""The store's keys are planted as canaries, and looked for wherever a run leaves something."""

import io
import json
import os
import threading

import psutil
import pyarrow.parquet as pq
import pytest

from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import LAYERS
from sandbox.faults import Faults
from tests.conftest import raw_get
from tests.programs import mage_run


def run(world, folder):
    """`mage run`, and all that it leaves: printed, in files, in the lake, in process lists."""
    commands, ended = set(), threading.Event()

    def watch():
        while not ended.wait(0.2):
            for process in psutil.process_iter(["cmdline"]):
                commands.add(" ".join(process.info["cmdline"] or ()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    own = {"MAGE_DATA_DIR": str(folder), "LOG_LEVEL": "DEBUG"}
    done = mage_run("--test", env={**os.environ, **own})
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
    return {place for place, found in left.items() if any(c.encode() in found for c in canaries)}


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


CANARY = "canary8c1f0e5b7a9d42f6"


def slow(**settings):
    return pytest.param(settings, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    "settings",
    [
        {"MINIO_SECRET_KEY": CANARY},
        slow(MINIO_SECRET_KEY=""),
        slow(MINIO_ACCESS_KEY=CANARY),
        slow(MINIO_ACCESS_KEY=f"{CANARY}\n"),  # as secrets of Kubernetes often end
        slow(MINIO_SECRET_KEY=f"{CANARY}é"),
        slow(MINIO_ENDPOINT="127.0.0.1:9"),
        slow(BREWERIES_API_PAGE_SIZE="many"),
    ],
)
def test_a_run_that_cannot_begin_tells_no_keys(world, canaries, tmp_path, settings):
    world.set(**settings)
    status, left = run(world, tmp_path / "mage")
    assert status == 1
    assert world.spooled() or world.logs("bronze")
    for file in world.spooled():
        for told in (str(file), json.loads(file.read_text())["message"]):
            assert told.encode() in left["stdout"]
    assert places_of([*canaries, CANARY], left) == set()
