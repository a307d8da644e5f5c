"""A Dask cluster on loopback: one scheduler, and workers of the same code."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from data.medallion.host.envfile import PROJECT
from tests.programs import running
from tests.waiting import wait_for


class Cluster:
    """A scheduler and the workers that a test starts."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._file = folder / "scheduler.json"
        options = ["--host=127.0.0.1", "--port=0", "--no-dashboard"]
        self.scheduler = self._start("dask_scheduler", *options)
        self.address = wait_for(self._written, pause=0.1)

    def _written(self) -> str | None:
        """The address, once the scheduler has made the file, and then written it."""
        with suppress(OSError, ValueError):
            return str(json.loads(self._file.read_text())["address"])
        return None

    def wait_for_worker(self) -> None:
        """Wait until there is one."""
        with Client(self.address) as client:
            client.wait_for_workers(1, timeout=60)

    def add_worker(self) -> subprocess.Popen[bytes]:
        """One more worker; without a nanny, so that a killed one stays dead."""
        options = ["--host=127.0.0.1", "--nthreads=1", "--no-nanny", "--no-dashboard"]
        return self._start("dask_worker", *options)

    def _start(self, module: str, *options: str) -> subprocess.Popen[bytes]:
        log = self._stack.enter_context((self._folder / f"{module}.log").open("ab"))
        command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
        command.append(f"--scheduler-file={self._file}")
        told = {**os.environ, "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
        how: dict[str, Any] = {"cwd": PROJECT.parent, "env": told, "stdin": subprocess.DEVNULL}
        return self._stack.enter_context(running(command, stdout=log, stderr=log, **how))


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(folder, stack)


@pytest.fixture(scope="module")
def two_workers(store, tmp_path_factory) -> Iterator[Cluster]:
    """A cluster of two workers, for all tests that leave it as it is."""
    with pytest.MonkeyPatch.context() as patch, cluster_in(tmp_path_factory.mktemp("dask")) as made:
        for name, value in store.items():
            patch.setenv(name, value)
        for _ in range(2):
            made.add_worker()
        yield made


@pytest.fixture
def workers(world, two_workers) -> Cluster:
    """Those two, which a run's silver and gold are to use."""
    world.set(DASK_SCHEDULER_ADDRESS=two_workers.address)
    return two_workers


@pytest.fixture
def cluster(world, tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler; its workers have the settings of the test's lake."""
    with cluster_in(tmp_path) as started:
        world.set(DASK_SCHEDULER_ADDRESS=started.address)
        yield started
