"""Small objects: a row in each of many locations, so that each location is an object.

Each block is a process of its own, and counts its requests to the store by what they are for.
`python -m benchmarks.locations` measures all of them; `... BLOCK FILE` does one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

from urllib3 import PoolManager

from sandbox.breweries.generator import generate

from . import measure
from .results import Result, keep
from .workload import BREWERIES, Workload, lake_of, workload

LOCATIONS = (10_000, 100_000)
BLOCKS = ("transform", "check", "aggregate")
PARTITION = "an object of a location"
VERBS = {"PUT": "write", "GET": "read", "HEAD": "look at"}


def main() -> None:
    """Measure, print, and keep."""
    with workload(1) as work:
        found = measured(work, BREWERIES)
    for locations in LOCATIONS:
        with lake_of(scattered(locations), locations) as work:
            found += measured(work, locations)
    keep("locations", found)


def scattered(locations: int) -> Iterator[str]:
    """A brewery in each of so many locations, as JSON texts."""
    for number, record in enumerate(generate(locations)):
        state = f"State {number}"
        yield json.dumps({**record, "country": "Brazil", "state_province": state, "state": state})


def measured(work: Workload, size: int) -> list[Result]:
    """Each block once, on an empty silver and gold."""
    work.empty()
    found = []
    for block in BLOCKS:
        file = work.file.with_name(f"{block}.json")
        command = [sys.executable, "-m", "benchmarks.locations", block, str(file)]
        taken = measure.run(command)
        found.append(Result.of(block, size, [taken], json.loads(file.read_text())))
        print(found[-1].line(), f"{sum(found[-1].requests.values()):,} requests", flush=True)
    return found


def run(block: str, file: Path) -> None:
    """Do one block, and leave its counts of requests in a file."""
    from data.breweries.flow import FLOW
    from data.medallion.context import Summary
    from data.medallion.lake.runs import new_run
    from data.medallion.stages import GOLD, SILVER

    # Else writers race, as in the first block of a day's first run.
    upstream = Summary(run=new_run())
    with counted() as requests:
        if block == "transform":
            SILVER.run(FLOW, {}, upstream)
        elif block == "check":
            SILVER.check(FLOW, {}, upstream)
        else:
            GOLD.run(FLOW, {}, upstream)
    file.write_text(json.dumps(requests))


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How many requests leave this process meanwhile, by what they are for."""
    requests: Counter[str] = Counter()
    send = PoolManager.urlopen

    def counting(pool: PoolManager, method: str, url: str, *args: Any, **more: Any) -> Any:
        requests[purpose(method, url)] += 1
        return send(pool, method, url, *args, **more)

    with mock.patch.object(PoolManager, "urlopen", counting):
        yield requests


def purpose(method: str, url: str) -> str:
    """What a request is for, in a few words."""
    layer, _, key = unquote(urlsplit(url).path).strip("/").partition("/")
    if not key:
        removes = method == "POST"
        return "remove objects, up to a thousand" if removes else "list, or look for a bucket"
    if key.startswith("leases/"):
        return f"{VERBS[method]} a lease"
    if key.endswith("_manifest.json") or "/_versions/" in key:
        return f"{VERBS[method]} a log entry"
    location = layer.endswith("silver") and key.endswith(".parquet")
    return f"{VERBS[method]} {PARTITION if location else 'another object'}"


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2])) if len(sys.argv) > 1 else main()
