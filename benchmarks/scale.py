"""Bronze to gold, beside what a user would pick instead: a plain script, DuckDB, pandas, PySpark.

All read the same bronze file, multiplied by the sandbox; the rivals from and to the local disk,
this pipeline from and to an embedded store, and that of `MINIO_ENDPOINT` if it is set, with its
manifests, checks and logs. Each job is a process of its own, by turns. That all count the same is
checked, but for the plain script, which leaves out too much.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress

from sandbox.lakes import variables

from . import measure
from .job import ON_MINIO, OURS
from .results import Result, keep
from .workload import Workload, embedded, workload

TIMES = (1, 10, 100, 500)
PLAIN = "plain_duckdb"
JOBS = (OURS, ON_MINIO, PLAIN, "duckdb", "pandas", "spark")


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=TIMES, help="copies of the data")
    parser.add_argument("--rounds", type=int, default=3, help="of each size up to 100 copies")
    parser.add_argument("--jobs", nargs="+", default=JOBS, choices=JOBS)
    chosen = parser.parse_args()
    both = "MINIO_ENDPOINT" in os.environ
    missing = {"spark": not shutil.which("java"), ON_MINIO: not both}
    jobs = [name for name in chosen.jobs if not missing.get(name)]
    if len(jobs) < len(chosen.jobs):
        print("Without Java or MINIO_ENDPOINT, the jobs on them are left out.", flush=True)
    found: list[Result] = []
    for times in chosen.times:
        rounds = chosen.rounds if times <= 100 else 1
        with workload(times) as named, embedded(named) if both else nullcontext(named) as work:
            found += compared(jobs, work, named, rounds)
        for result in found[-len(jobs) :]:
            print(result.line(), flush=True)
    keep("scale", found, store="MinIO and the embedded store" if both else "the embedded store")


def compared(jobs: Sequence[str], work: Workload, on_minio: Workload, rounds: int) -> list[Result]:
    """Every job so many times, by turns."""
    taken: dict[str, list[measure.Measured]] = {name: [] for name in jobs}
    golds: dict[str, list[object]] = {}
    stores = {OURS: work, ON_MINIO: on_minio}
    for _ in range(rounds):
        for name in jobs:
            own = stores.get(name, work)
            own.empty()
            target = work.file.parent / name
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            command = [sys.executable, "-m", "benchmarks.job", name, str(work.file), str(target)]
            server = measure.listening(own.environment["MINIO_ENDPOINT"] if name in stores else "")
            with variables(own.environment), suppress(measure.OutOfBounds):
                taken[name].append(measure.run(command, store=server))
                golds[name] = json.loads((target / "gold.json").read_text())["gold"]
    for name, gold in golds.items():
        if name != PLAIN and gold != golds[OURS]:
            sys.exit(f"{name} counts otherwise than this pipeline does, at {work.rows:,} rows.")
    return [Result.of(name, work.rows, all_) for name, all_ in taken.items()]


if __name__ == "__main__":
    main()
