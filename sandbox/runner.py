"""Running the real pipeline on a store: environments, `mage run`, and what it left in the lake."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.medallion.host.command import PIPE_CLOSED, say
from data.medallion.lake.datasets import CHART, DATASETS, LAYERS, LOGS, PICTURE, SILVER
from data.medallion.lake.versions import Lake
from data.medallion.settings import Folders, Settings

from .leash import leashed


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

    Mage and all that it starts (its scheduler, kernels) end with this process.
    """
    command = [str(Path(sys.executable).with_name("mage")), *arguments]
    # What its output cannot show is replaced there too.
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    settings = {**os.environ, "PYTHONIOENCODING": f"{encoding}:replace"}
    with leashed(command, env=settings) as process:
        return process.wait()


def run_pipeline(snapshot: str = "") -> int:
    """`mage run` of the pipeline with its tests; prints what it wrote, or why it failed."""
    variables = ["--runtime-vars", json.dumps({"snapshot": snapshot})] if snapshot else []
    status = mage("run", "data", "breweries", "--test", *variables)
    if status == 0:
        print(report(Lake.connect(Settings.load())))
    elif status != PIPE_CLOSED:
        say("\nThe run failed: the sentence above says why, and where the error log is.")
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
