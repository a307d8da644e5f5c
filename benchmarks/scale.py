"""Bronze to gold, beside what a user would pick instead: DuckDB, pandas, PySpark.

All read the same bronze file, multiplied by the sandbox; the rivals from and to the local disk,
this pipeline from and to a store on loopback, with its manifests, checks and logs. Each job is a
process of its own, by turns. That all count the same is checked.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from data.breweries import bronze
from data.breweries.bronze import HISTORY
from data.breweries.datasets import BRONZE
from data.breweries.lake import Lake, Origin
from data.breweries.manifest import Source, StoredObject, sha256
from data.breweries.records import CONTENT_TYPE, array_lines
from data.breweries.settings import Settings
from data.breweries.steps import new_run, run_block
from sandbox import runner
from sandbox.generator import generate
from sandbox.multiplier import multiplied
from sandbox.store import embedded_store

from . import measure, report
from .job import OURS

BREWERIES = 11_822
TIMES = (1, 10, 100, 500)
RIVALS = ("duckdb", "pandas", "spark")
MEMORY_LIMIT = 12 << 30  # a job that holds more is ended, before it ends the machine


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, nargs="+", default=TIMES, help="copies of the data")
    parser.add_argument("--rounds", type=int, default=3, help="of each size up to 100 copies")
    parser.add_argument("--jobs", nargs="+", default=(OURS, *RIVALS), choices=(OURS, *RIVALS))
    chosen = parser.parse_args()
    jobs = [name for name in chosen.jobs if name != "spark" or shutil.which("java")]
    if len(jobs) < len(chosen.jobs):
        print("There is no Java here, so PySpark is left out.", flush=True)
    records = generate(BREWERIES)
    found: list[report.Result] = []
    for times in chosen.times:
        with tempfile.TemporaryDirectory(prefix="breweries-bench-") as name:
            folder = Path(name)
            with embedded_store(folder / "store") as store, runner.environment(store):
                file = folder / "bronze.json"
                with file.open("wb") as lines:
                    lines.writelines(array_lines(multiplied(records, times)))
                lake = Lake.connect(Settings.load())
                put_in_bronze(lake, file, times * len(records))
                rounds = chosen.rounds if times <= 100 else 1
                found += compared(jobs, lake, file, rounds)
        for result in found[-len(jobs) :]:
            print(result.line(), flush=True)
    report.add("scale", [vars(result) for result in found])


def put_in_bronze(lake: Lake, file: Path, rows: int) -> None:
    """Publish a file as the API's answer: as a kept one, which the pipeline's own block replays."""
    run = new_run()
    digest = sha256(file.read_bytes())
    size = file.stat().st_size
    entry = StoredObject(key=f"{HISTORY}{run}.json", rows=rows, bytes=size, sha256=digest)
    origin = Origin(run, run, Source(key="multiplied", sha256=digest))
    lake.create_bucket("bronze")
    lake.publish("bronze", entry, file, CONTENT_TYPE, origin, None)
    run_block(BRONZE, bronze.extract, {"snapshot": run})


def compared(jobs: Sequence[str], lake: Lake, file: Path, rounds: int) -> list[report.Result]:
    """Every job so many times, by turns."""
    rows = lake.version(BRONZE).manifest.rows_out
    taken: dict[str, list[measure.Measured]] = {name: [] for name in jobs}
    golds: dict[str, list[object]] = {}
    for _ in range(rounds):
        for name in jobs:
            for layer in ("silver", "gold") if name == OURS else ():
                lake.create_bucket(layer)
                lake.remove(layer, list(lake.sizes(layer, "")))
            target = file.parent / name
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            command = [sys.executable, "-m", "benchmarks.job", name, str(file), str(target)]
            with suppress(measure.OutOfBounds):
                taken[name].append(measure.run(command, MEMORY_LIMIT))
                golds[name] = json.loads((target / "gold.json").read_text())["gold"]
    for name, gold in golds.items():
        if gold != golds[OURS]:
            sys.exit(f"{name} counts otherwise than this pipeline does, at {rows:,} rows.")
    return [
        report.Result(
            job=name,
            size=rows,
            seconds=tuple(one.seconds for one in all_),
            memory=tuple(one.memory for one in all_),
        )
        for name, all_ in taken.items()
    ]


if __name__ == "__main__":
    main()
