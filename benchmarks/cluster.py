"""This machine alone beside a Dask cluster on it: what going through a cluster costs.

A scheduler and one or two workers on loopback, each worker a process of one thread; the same rows,
the same tasks, and the same objects to the byte, which is checked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from data.breweries.flow import FLOW
from data.medallion.layers.silver.plan import content_of
from sandbox.lakes import variables

from . import measure
from .job import OURS
from .results import Result, keep
from .workload import Workload, workload

ROUNDS = {1: 3, 100: 1}  # by copies of the data
WORKERS = (0, 1, 2)
NO_PROFILE = {"distributed.worker.profile.enabled": False}  # as in docker-compose.yml


def main() -> None:
    """Measure, print, and keep."""
    found: list[Result] = []
    for times, rounds in ROUNDS.items():
        with workload(times) as work:
            found += compared(work, rounds)
        for result in found[-len(WORKERS) :]:
            print(result.line(), flush=True)
    keep("cluster", found)


def compared(work: Workload, rounds: int) -> list[Result]:
    """The job with each number of workers, by turns."""
    taken: dict[int, list[measure.Measured]] = {workers: [] for workers in WORKERS}
    written = set()
    for _ in range(rounds):
        for workers in WORKERS:
            work.empty()
            with cluster(workers):
                command = [sys.executable, "-m", "benchmarks.job", OURS, str(work.file)]
                taken[workers].append(measure.run([*command, str(work.file.parent)]))
            written.add(tuple(map(content_of, work.lake.version(FLOW.silver).objects)))
    if len(written) > 1:
        sys.exit(f"What is written depends on the number of workers, at {work.rows:,} rows.")
    return [Result.of(str(workers), work.rows, all_) for workers, all_ in taken.items()]


@contextmanager
def cluster(workers: int) -> Iterator[None]:
    """A Dask cluster of which the environment tells; without workers, none."""
    if not workers:
        yield
        return
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set(NO_PROFILE),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as started,
        variables({"DASK_SCHEDULER_ADDRESS": started.scheduler_address}),
    ):
        yield


if __name__ == "__main__":
    main()
