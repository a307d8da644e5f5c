"""Engines: run the same tasks on this machine or on a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..host.console import progress
from ..host.workspace import workspace
from ..lake.datasets import SCRATCH
from ..lake.errors import StoreError
from ..lake.lake import Lake
from ..lake.manifest import code_version
from ..lake.runs import began, now
from ..settings import LakeSettings
from .errors import ClusterEmpty, ClusterUnreachable, ThreadsRefused, WorkerDiffers, WorkersFailed
from .shuffle import Folder, Prefix, TaskContext

if TYPE_CHECKING:
    from distributed import Client, Future

THREADS = 4  # the default maximum; each thread needs about 150 MB
CONNECT_SECONDS = 10.0
WORKER_SECONDS = 60.0  # how long to wait for a first worker

R = TypeVar("R")
Task = Callable[[TaskContext], R]
"""A part of the work: does it in a context, and returns a small result."""


@contextmanager
def engine_of(settings: LakeSettings, lake: Lake, run: str, package: str) -> Iterator[Engine]:
    """The engine of the settings. It starts and connects nothing before its first tasks.

    The run names its scratch. A worker must have the same code of the flow's package.
    """
    if settings.dask_scheduler:
        with closing(Cluster(settings.dask_scheduler, lake, run, package)) as cluster:
            yield cluster
    else:
        with workspace() as folder:
            yield Machine(settings, lake, folder)


class Machine:
    """This machine: threads, and a scratch on disk.

    Threads suffice: the slow parts of a task are Arrow, NumPy and the network, which release
    Python's lock.
    """

    def __init__(self, settings: LakeSettings, lake: Lake, folder: Path) -> None:
        self._threads = settings.threads or min(THREADS, os.cpu_count() or 1)
        self.context = TaskContext(lake, Folder(folder))

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """Run tasks; yields their results in order. `doing` is the label of the progress bar.

        Raises:
            ThreadsRefused: no thread could be started.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                results = pool.map(lambda task: task(self.context), tasks)
            except RuntimeError as error:
                raise ThreadsRefused(str(error)) from None
            yield from progress(results, doing=doing, total=len(tasks), unit="tasks", delay=2)


class Cluster:
    """A Dask cluster. Its workers need the same code and their own settings of the store."""

    def __init__(self, address: str, lake: Lake, run: str, package: str) -> None:
        self._address = address
        self._package = package
        self._prefix = f"{SCRATCH}{run}/"
        self._client: Client | None = None
        self.context = TaskContext(lake, Prefix(lake, self._prefix))

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """As `Machine.run`.

        Raises:
            ClusterUnreachable, ClusterEmpty: there is no scheduler, or no worker.
            WorkersFailed: the cluster gave up a task, or disappeared.
            WorkerDiffers: a worker has different code.
        """
        from distributed import CancelledError, KilledWorker
        from distributed.comm.core import CommClosedError

        client = self._client = self._client or self._connected()
        work = partial(_on_worker, self._prefix, self._package, code_version(self._package))
        try:
            futures = client.map(work, tasks, pure=False)
            try:
                results = (_result(client, future) for future in futures)
                total = len(tasks)
                yield from progress(results, doing=doing, total=total, unit="tasks", delay=2)
            finally:
                client.cancel(futures)
        except (KilledWorker, CancelledError, CommClosedError, TimeoutError) as error:
            where = f"the Dask cluster at {self._address}"
            raise WorkersFailed(where, doing, type(error).__name__) from None

    def close(self) -> None:
        """Disconnect from the cluster, and empty the scratch, also that of runs that died."""
        if self._client:
            with suppress(TimeoutError, OSError):
                self._client.close(timeout=CONNECT_SECONDS)
            with suppress(StoreError):
                store = self.context.lake.store
                dead = f"{SCRATCH}{began(now() - timedelta(days=1))}"
                keys = store.listed("silver", SCRATCH)
                left = [key for key in keys if key.startswith(self._prefix) or key < dead]
                store.remove("silver", left)

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


Engine = Machine | Cluster
"""Runs tasks; its `context` is that of this process."""


def _result(client: Client, future: Future[R]) -> R:
    """The result of a task. Dask alone would wait for ever if the last worker is lost."""
    while True:
        try:
            return future.result(timeout=WORKER_SECONDS)
        except TimeoutError:
            if future.done():
                raise
            client.wait_for_workers(1, timeout=WORKER_SECONDS)


def _on_worker(prefix: str, package: str, version: str, task: Task[R]) -> R:
    """Run a task on a worker, with the settings of the worker's own environment."""
    if (ours := code_version(package)) != version:
        raise WorkerDiffers(ours, version)
    lake = Lake.connect(LakeSettings.load())
    return task(TaskContext(lake, Prefix(lake, prefix)))
