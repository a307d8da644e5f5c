"""The API to a file: the pipeline's crawl beside a loop over its pages, at 100 ms a page.

The local API is a process of its own, without a rate limit. The crawl proves itself complete (two
requests to `/meta`, and a recount); the loop takes what it gets. Ten times the pages show what they
do to memory.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import requests

from data.breweries.flow import FLOW
from data.medallion.source.crawl import crawl

from . import measure
from .job import OURS
from .results import Result, keep

LATENCY_SECONDS = 0.1
PER_PAGE = 200
PAGES = 60, 600
ROUNDS = 5
MEMORY_LIMIT = 4 << 30


def main() -> None:
    """Measure, print, and keep."""
    found = []
    for pages in PAGES:
        with served(pages * PER_PAGE - PER_PAGE // 2) as url:  # the last page is half full
            for name in JOBS:
                found.append(measured(name, url, pages))
                print(found[-1].line(), flush=True)
    keep("extraction", found)


@contextmanager
def served(count: int) -> Iterator[str]:
    """The local API with so many records; gives its URL."""
    command = [sys.executable, "-m", "sandbox", "api", "--port", "0", "--rate-limit", "0"]
    command += ["--count", str(count), "--latency-seconds", str(LATENCY_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  (it is a pipe)
        yield server.stdout.readline().split()[0].partition("=")[2]
        server.send_signal(signal.SIGINT)


def measured(name: str, url: str, pages: int) -> Result:
    """One way to fetch, in processes of its own."""
    seconds, memory = [], []
    with tempfile.TemporaryDirectory(prefix="breweries-bench-") as folder:
        told = Path(folder) / "seconds.json"
        command = [sys.executable, "-m", "benchmarks.extraction", name, url, folder]
        for _ in range(ROUNDS if pages == PAGES[0] else 1):
            memory.append(measure.run(command, MEMORY_LIMIT).memory)
            seconds.append(json.loads(told.read_text()))
    return Result(name, pages, tuple(seconds), tuple(memory))


def fetch(name: str, url: str, folder: Path) -> None:
    """Fetch all into the folder, and leave there how long it took, without imports."""
    start = perf_counter()
    JOBS[name](url, folder / "answer.json")
    (folder / "seconds.json").write_text(json.dumps(perf_counter() - start))


def ours(url: str, file: Path) -> None:
    """The pipeline's own crawl."""
    os.environ |= {
        "BREWERIES_API_URL": url,
        "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
    }
    crawl(FLOW.api, FLOW.table, FLOW.load_settings(), file)


def loop(url: str, file: Path) -> None:
    """What the API's own documentation leads to: page after page until one is empty."""
    records, page = [], 1
    while answer := requests.get(
        url, params={"per_page": PER_PAGE, "page": page}, timeout=30
    ).json():
        records += answer
        page += 1
    file.write_text(json.dumps(records))


JOBS = {OURS: ours, "loop": loop}


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        fetch(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
