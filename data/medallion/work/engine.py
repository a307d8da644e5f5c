"""Where the work runs: on this machine, or on a Dask cluster. The tasks are the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..host.console import progress
from ..host.workspace import workspace
from ..lake.datasets import SCRATCH
from ..lake.errors import StoreError
from ..lake.manifest import code_version
from ..lake.versions import Lake
from ..settings import LakeSettings
from .errors import ClusterEmpty, ClusterUnreachable, ThreadsRefused, WorkerDiffers, WorkersFailed
from .shuffle import Folder, Place, Prefix

if TYPE_CHECKING:
    from distributed import Client, Future

THREADS = 4  # at most, unless the settings say more: each holds about 150 MB
CONNECT_SECONDS = 10.0
WORKER_SECONDS = 60.0  # to wait for a worker, where there is none

R = TypeVar("R")
Task = Callable[[Place], R]
"""A part of the work: given its place, does it, and returns something small."""


class Engine(Protocol):
    """What runs tasks."""

    @property
    def place(self) -> Place:
        """The place of this process."""

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """The results of some tasks, in their order; `doing` says what is done, for people."""


@contextmanager
def engine_of(settings: LakeSettings, lake: Lake, run: str, package: str) -> Iterator[Engine]:
    """The engine of the settings; nothing is started or connected before its first tasks.

    Args:
        settings: of the lake.
        lake: that the tasks read and write.
        run: the name of its scratch.
        package: of the flow, whose code a worker must have.
    """
    if settings.dask_scheduler:
        cluster = Cluster(settings.dask_scheduler, lake, run, package)
        try:
            yield cluster
        finally:
            cluster.close()
    else:
        with workspace() as folder:
            yield Machine(settings, lake, folder)


class Machine:
    """This machine: some threads, and a scratch on its disk.

    What takes long in a task is done by Arrow, NumPy and the network, which leave Python's lock.
    """

    def __init__(self, settings: LakeSettings, lake: Lake, folder: Path) -> None:
        self._threads = settings.processes or min(THREADS, os.cpu_count() or 1)
        self.place = Place(lake, Folder(folder))

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """As `Engine.run`.

        Raises:
            ThreadsRefused: none could be started.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                results = pool.map(lambda task: task(self.place), tasks)
            except RuntimeError as error:
                raise ThreadsRefused(str(error)) from None
            yield from _shown(results, tasks, doing)


class Cluster:
    """A Dask cluster; its workers have this code and the store's settings of their own."""

    def __init__(self, address: str, lake: Lake, run: str, package: str) -> None:
        self._address = address
        self._package = package
        self._prefix = f"{SCRATCH}{run}/"
        self._client: Client | None = None
        self.place = Place(lake, Prefix(lake, self._prefix))

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """As `Engine.run`.

        Raises:
            ClusterUnreachable, ClusterEmpty: no worker can be had.
            WorkersFailed: the cluster gave up a task, or went away.
            WorkerDiffers: a worker has other code.
        """
        from distributed import CancelledError, KilledWorker
        from distributed.comm.core import CommClosedError

        client = self._client = self._client or self._connected()
        work = partial(_on_worker, self._prefix, self._package, code_version(self._package))
        try:
            futures = client.map(work, tasks, pure=False)
            try:
                results = (_result(client, future) for future in futures)
                yield from _shown(results, tasks, doing)
            finally:
                client.cancel(futures)
        except (KilledWorker, CancelledError, CommClosedError, TimeoutError) as error:
            where = f"the Dask cluster at {self._address}"
            raise WorkersFailed(where, doing, type(error).__name__) from None

    def close(self) -> None:
        """Leave the cluster, and nothing in the scratch."""
        if self._client:
            with suppress(TimeoutError, OSError):
                self._client.close(timeout=CONNECT_SECONDS)
            with suppress(StoreError):
                store = self.place.lake.store
                store.remove("silver", store.listed("silver", self._prefix))

    def _connected(self) -> Client:
        from distributed import Client

        try:
            client = Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterUnreachable(self._address, type(error).__name__) from None
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            client.close()
            raise ClusterEmpty(self._address, WORKER_SECONDS) from None
        return client


def _result(client: Client, future: Future[R]) -> R:
    """What a task gave; Dask itself would wait for ever where the last worker is lost."""
    while True:
        try:
            return future.result(timeout=WORKER_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            client.wait_for_workers(1, timeout=WORKER_SECONDS)


def _on_worker(prefix: str, package: str, version: str, task: Task[R]) -> R:
    """Do a task on a worker, by the settings of the worker's own environment."""
    if (ours := code_version(package)) != version:
        raise WorkerDiffers(ours, version)
    lake = Lake.connect(LakeSettings.load())
    return task(Place(lake, Prefix(lake, prefix)))


def _shown(results: Iterator[R], tasks: Sequence[Any], doing: str) -> Iterator[R]:
    """Results as they come, with a progress bar where they take long."""
    return iter(progress(results, doing=doing, total=len(tasks), unit="tasks", delay=2))
