"""The same work, however it is divided and wherever it runs."""

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import OwnCodeFailed
from data.medallion.lake.datasets import SCRATCH
from data.medallion.lake.s3 import S3Store
from data.medallion.layers import bronze
from data.medallion.layers.silver import clean, plan, write
from data.medallion.layers.silver.plan import files_for
from data.medallion.stages import SILVER
from data.medallion.work import engine, errors, regrouping
from sandbox.faults import Faults
from tests.conftest import empty
from tests.faults.runs import through_blocks
from tests.waiting import wait_for
from tests.world import breweries, lasting

RECORDS = 1_500
REPEATED = 7
UNUSABLE = [{"id": "x", "name": "no place"}, {"id": "y", "name": ""}]


@pytest.fixture
def much(world, monkeypatch):
    """A world whose records are many: several ranges, buckets and files."""
    make_much(world, monkeypatch)
    divide(monkeypatch)
    return world


def make_much(world, patch):
    for module in (plan, write):
        patch.setattr(module, "ROWS_PER_FILE", 60)
    world.api.records = [*breweries(RECORDS, seed=3), *UNUSABLE]
    world.api.faults = Faults(rate_limit=0, duplicate=REPEATED)


def divide(monkeypatch, part=150_000, task=100_000, fan_out=3):
    monkeypatch.setattr(bronze, "PART_BYTES", part)
    monkeypatch.setattr(regrouping, "FAN_OUT", fan_out)
    for module in (clean, write, regrouping):
        monkeypatch.setattr(module, "TASK_BYTES", task)


def published_anew(world):
    """What a run publishes into an empty lake, but for bronze, whose answers come in any order."""
    empty(world.lake)
    world.run()
    manifest = world.manifest(FLOW.silver)
    assert (manifest.rows_duplicate, manifest.rows_rejected) == (REPEATED, len(UNUSABLE))
    assert not world.lake.store.listed("silver", SCRATCH)
    changes = "silver/objects/breweries/breweries_ch", "silver/data/changes/"
    of_a_run = ("bronze/", *changes, "gold/data/rep")
    return {k: v for k, v in world.published().items() if not k.startswith(of_a_run)}


@pytest.fixture(scope="module")
def expected(store, tmp_path_factory):
    """The same in one task."""
    with lasting(store, tmp_path_factory, "expected") as world:
        make_much(world, world.patch)
        divide(world.patch, part=1 << 30, task=1 << 30)
        return published_anew(world)


def test_a_location_of_many_rows_has_several_files_and_one_of_few_has_one(expected, much):
    assert published_anew(much) == expected
    files, rows = Counter(), Counter()
    for entry in much.manifest(FLOW.silver).objects:
        folder = entry.key.rpartition("/")[0]
        files[folder] += 1
        rows[folder] += entry.rows
    assert max(files.values()) >= 4
    assert files == {folder: files_for(count) for folder, count in rows.items()}


MORE = ((1 << 30, 40_000), (20_000, 1 << 30), (9_000, 300_000))


@pytest.mark.parametrize(
    ("part", "task"),
    [(70_000, 20_000), *(pytest.param(*sizes, marks=pytest.mark.slow) for sizes in MORE)],
)
def test_how_the_work_is_divided_does_not_show(expected, much, monkeypatch, part, task):
    divide(monkeypatch, part, task)
    assert published_anew(much) == expected


def test_several_threads_write_what_one_writes(expected, much, monkeypatch):
    divide(monkeypatch, part=20_000, task=30_000)
    much.set(LAKE_THREADS=5)
    assert published_anew(much) == expected


def test_a_cluster_writes_what_this_machine_writes(expected, much, workers):
    assert published_anew(much) == expected


def _without_rows(real):
    """A method of the store that refuses to read or write rows of bronze and silver."""

    def method(store, layer, key, *more):
        if layer != "gold" and key.startswith(("data/breweries/history", "data/breweries/country")):
            raise AssertionError(f"rows of {key} were read or written here")
        return real(store, layer, key, *more)

    return method


def test_no_rows_pass_through_this_process(much, world, workers, monkeypatch):
    world.api.records = breweries(RECORDS, seed=3)
    extracted = through_blocks((FLOW.bronze,))
    for name in ("stream", "put"):
        monkeypatch.setattr(S3Store, name, _without_rows(getattr(S3Store, name)))
    through_blocks((FLOW.silver, FLOW.gold[0]), extracted)
    assert world.manifest(FLOW.gold[0]).rows_in == RECORDS


@contextmanager
def killed_at_work(world, worker):
    """Kills a worker once it has written something."""

    def kill():
        wait_for(lambda: world.lake.store.listed("silver", SCRATCH), pause=0.01)
        worker.send_signal(signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    yield
    killing.join()
    assert worker.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(expected, much, cluster, monkeypatch):
    divide(monkeypatch, part=30_000)
    victim, _ = cluster.add_worker(), cluster.add_worker()
    with killed_at_work(much, victim):
        assert published_anew(much) == expected


def test_a_cluster_that_loses_its_last_worker_is_told(much, cluster, monkeypatch):
    divide(monkeypatch, part=30_000)
    monkeypatch.setattr(engine, "WORKER_SECONDS", 1.0)
    victim = cluster.add_worker()
    cluster.wait_for_worker()
    with killed_at_work(much, victim):
        assert cluster.address in much.fails(errors.WorkersFailed, "silver")["message"]


def test_the_scratch_of_a_run_that_died_is_removed(world, cluster):
    old = f"{SCRATCH}20250101T000000Z-aaaaaa/0-rows"
    world.lake.store.put("silver", old, b"left")
    cluster.add_worker()
    world.set(DASK_SCHEDULER_ADDRESS=cluster.address)
    world.run()
    assert old not in world.lake.store.listed("silver", "")


def test_a_scheduler_that_is_not_there_is_named(world, monkeypatch):
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 0.5)
    world.set(DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:9")
    told = world.fails(errors.ClusterUnreachable, "silver")["message"]
    assert "DASK_SCHEDULER_ADDRESS" in told


def test_a_cluster_without_workers_is_told(world, cluster, monkeypatch):
    monkeypatch.setattr(engine, "WORKER_SECONDS", 1.0)
    assert "had no worker in 1 s" in world.fails(errors.ClusterEmpty, "silver")["message"]


@pytest.mark.slow
def test_a_cluster_that_goes_away_is_an_error(world, cluster, monkeypatch):
    cluster.add_worker()
    run = engine.Cluster.run

    def dying(self, tasks, doing):
        cluster.scheduler.kill()
        return run(self, tasks, doing)

    def silver():
        return {k: v for k, v in world.published().items() if k.startswith("silver")}

    world.run()
    before = silver()
    world.api.records = world.api.records[:-10]
    monkeypatch.setattr(engine.Cluster, "run", dying)
    world.fails(errors.EngineError, "silver")
    assert silver() == before


def test_workers_of_another_release_are_refused(world, workers, monkeypatch):
    monkeypatch.setattr(engine, "code_version", lambda package: "0.0.0+other")
    assert "from the same image" in world.fails(errors.WorkerDiffers, "silver")["message"]


def test_a_mistake_in_a_flows_own_code_is_told_from_a_worker(world, workers):
    extracted = through_blocks((FLOW.bronze,))
    mistaken = replace(FLOW, clean=lambda columns: columns["taps"])
    with pytest.raises(OwnCodeFailed, match=r"asked for the columns that .* KeyError: 'taps'"):
        SILVER.run(mistaken, {}, extracted)
    (log,) = world.logs("silver").values()
    assert log["facts"]["file"] == "tests/engines/test_engines.py"
    assert "in <lambda>" in log["facts"]["trace"]


def test_threads_that_the_system_refuses_are_an_error(world, monkeypatch):
    class Refused(ThreadPoolExecutor):  # of the engine alone: leases need threads, too
        def map(self, *_):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(engine, "ThreadPoolExecutor", Refused)
    assert "lower LAKE_THREADS" in world.fails(errors.ThreadsRefused, "silver")["message"]
