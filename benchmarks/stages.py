"""Where the time of one range of bronze goes: it is cleaned, and its files are made, in one thread.

Nothing is instrumented: the seconds are those of Python's profiler, for the functions below. Their
calls are few and long, so the profiler hardly slows them down.
"""

from __future__ import annotations

import cProfile
import pstats
import tempfile
import time
from pathlib import Path
from typing import cast

import numpy as np

from data.breweries.flow import FLOW
from data.medallion.lake.manifest import PartHashes
from data.medallion.layers.silver.clean import clean_range, ranges
from data.medallion.layers.silver.plan import Plan, files_for
from data.medallion.layers.silver.write import Work, write_partitions
from data.medallion.work.shuffle import Folder, TaskContext, segments_of

from .results import Result, keep
from .workload import Workload, workload

TIMES = 8  # as many copies of the breweries fill the first range
ROUNDS = 5
FETCH, LINES, PARSE = "clean._content", "records.lines_within", "reading._read"
TIDY, CLEAN, SCATTER = "tidying.tidied", "cleaner.__call__", "shuffle.scatter"
STAGES = {
    "fetch the range and check its hash": (FETCH,),
    "find the records": (LINES, FETCH),
    "parse the JSON into columns": (PARSE,),
    "tidy the texts": (TIDY,),
    "all other cleaning": (CLEAN, PARSE, TIDY),
    "divide the rows by partition, into the scratch": (SCATTER,),
    "sort them": ("write._files",),
    "make the Parquet files": ("parquet.encode",),
}
"""Stage to a function, and to the functions inside it that are other stages."""


def main() -> None:
    """Measure, print, and keep."""
    with workload(TIMES) as work:
        rounds = [measured(work) for _ in range(ROUNDS)]
    found = [
        Result(stage, rounds[0][0], tuple(seconds[stage] for _, seconds in rounds), ())
        for stage in STAGES
    ]
    for result in found:
        print(f"{result.job:50} {result.median_seconds * 1000:6.0f} ms")
    keep("stages", found)


def measured(work: Workload) -> tuple[int, dict[str, float]]:
    """The records of the first range, and the seconds of each stage."""
    plan = Plan.of(FLOW, writer="run", buckets=2)
    manifest = work.lake.version(FLOW.bronze)
    entry = manifest.only_object()
    span = ranges(entry, cast(PartHashes, manifest.parts))[0]
    work.empty()
    with tempfile.TemporaryDirectory() as scratch, cProfile.Profile(time.thread_time) as profile:
        context = TaskContext(work.lake, Folder(Path(scratch)))
        cleaned = clean_range(context, plan, span, "range", 0)
        files = {p: files_for(n) for p, n in cleaned.by_partition.items()}
        for bucket in range(2):
            write_partitions(
                context,
                plan,
                Work(segments_of([cleaned.rows], bucket), files),
                f"new-{bucket}",
                np.array([], np.int64),
                None,
            )
    taken = seconds(profile)
    return cleaned.records, {
        stage: taken[whole] - sum(taken[one] for one in inside)
        for stage, (whole, *inside) in STAGES.items()
    }


def seconds(profile: cProfile.Profile) -> dict[str, float]:
    """Each function, by module and name, to how long its calls took, with all that they called."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]]
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    functions = {name for stage in STAGES.values() for name in stage}
    named = (
        (f"{Path(file).stem}.{name}", took) for (file, _, name), (*_, took, _) in stats.items()
    )
    return {name: took for name, took in named if name in functions}


if __name__ == "__main__":
    main()
