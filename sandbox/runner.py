"""Running the real pipeline on a store: environments, `mage run`, and what it left in the lake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.breweries.datasets import CHART, DATASETS, LAYERS, LOGS, PICTURE, SILVER
from data.breweries.lake import Lake
from data.breweries.settings import Folders, Settings

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of this process and its children for a while."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def mage(*arguments: str) -> int:
    """Run a command of Mage in the repository's root, and give its exit status.

    Interrupting or ending this process ends the whole process group of Mage, whose scheduler would
    live on otherwise.
    """
    command = [str(Path(sys.executable).with_name("mage")), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)

    def end(number: int, _: object) -> None:
        os.killpg(process.pid, signal.SIGTERM)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        status = process.wait()
        return status if status >= 0 else 128 - status  # as a shell tells an end by signal
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_pipeline(snapshot: str = "") -> int:
    """`mage run` of the pipeline with its tests; prints what it wrote, or why it failed."""
    variables = ["--runtime-vars", json.dumps({"snapshot": snapshot})] if snapshot else []
    status = mage("run", "data", "breweries", "--test", *variables)
    if status == 0:
        print(report(Lake.connect(Settings.load())))
    else:
        print("\nThe run failed: see the sentence and the error log named above.", file=sys.stderr)
    return status


def report(lake: Lake) -> str:
    """What the lake holds, a line a dataset, and where the picture is."""
    lines = ["", f"{'':24}{'rows':>9}{'objects':>9}{'KiB':>9}"]
    for dataset in DATASETS:
        manifest = lake.version(dataset).manifest
        size = sum(entry.bytes for entry in manifest.objects) / 1024
        rows = f"{manifest.rows_out:,}" if dataset is not CHART else "the chart"
        lines.append(f"  {dataset.path:22}{rows:>9}{len(manifest.objects):>9,}{size:>9,.0f}")
        if dataset is SILVER:
            lines.append(
                f"  {'':22}{manifest.rows_rejected:,} rejected, "
                f"{manifest.rows_duplicate:,} duplicate: every row is accounted for"
            )
    errors = sum(len(lake.sizes(layer, LOGS)) for layer in LAYERS)
    picture = Folders.load().visualizations / PICTURE
    lines += ["", f"  run      {manifest.run}", f"  picture  {picture}"]
    if errors:
        lines.append(f"  errors   {errors} logs of failed runs under <layer>/{LOGS}")
    return "\n".join(lines)


def wait_for_end() -> None:
    """Block until this process is interrupted or asked to end."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
