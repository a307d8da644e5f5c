"""Runs the real pipeline on a store: `mage run`, and a report of the lake."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from data.medallion.errors import MedallionError
from data.medallion.flow import Flow
from data.medallion.lake.datasets import LAYERS, LOGS
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Changes, Manifest
from data.medallion.report.publishing import local_file
from data.medallion.settings import Folders, LakeSettings

from .process_group import in_own_group


def mage(*arguments: str, log: Path | None = None) -> int:
    """Run a command of Mage in the repository's root; returns its exit status.

    Mage and all processes that it starts (its scheduler, kernels) end with this process.

    Args:
        arguments: the command, such as "start" and its options.
        log: the file for its output, which is made anew; by default it goes to the terminal.
    """
    command = [sys.executable, "-m", f"{__package__}.mage", *arguments]
    # Letters that its output cannot show are replaced too.
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    settings = {**os.environ, "PYTHONIOENCODING": f"{encoding}:replace"}
    with ExitStack() as stack:
        out = stack.enter_context(log.open("wb")) if log else None
        process = stack.enter_context(in_own_group(command, env=settings, stdout=out, stderr=out))
        return process.wait()


def run_pipeline(flow: Flow, snapshot: str = "") -> int:
    """Run a flow's pipeline by `mage run`, with its tests; print a report if it succeeds."""
    variables = ["--runtime-vars", json.dumps({"snapshot": snapshot})] if snapshot else []
    before = _published(flow)
    status = mage("run", "data", flow.name, "--test", *variables)
    if status == 0:
        print(report(flow, Lake.connect(LakeSettings.load()), before))
    return status


def _published(flow: Flow) -> Manifest | None:
    """Silver's manifest, or None. Errors of the settings or the store are left to the run."""
    with suppress(MedallionError):
        lake = Lake.connect(LakeSettings.load(), retry_more=False)
        return lake.version(flow.silver)
    return None


def report(flow: Flow, lake: Lake, before: Manifest | None = None) -> str:
    """A report of a flow's datasets, one line each, and the path of the picture.

    Args:
        flow: the flow of the datasets.
        lake: the lake with the datasets.
        before: silver's manifest before the run; None for a first run.
    """
    lines = ["", f"{'':26}{'rows':>9}{'objects':>9}{'KiB':>9}"]
    for dataset in flow.datasets:
        manifest = lake.version(dataset)
        size = sum(entry.bytes for entry in manifest.objects) / 1024
        rows = f"{manifest.rows_out:,}" if dataset is not flow.chart_dataset else "the chart"
        lines.append(f"  {dataset.path:24}{rows:>9}{len(manifest.objects):>9,}{size:>9,.0f}")
        if dataset is flow.silver:
            lines.append(
                f"  {'':24}{manifest.rows_rejected:,} rejected, "
                f"{manifest.rows_duplicate:,} duplicate: every row is accounted for"
            )
    errors = sum(
        flow.owns(layer, key) for layer in LAYERS for key in lake.store.listed(layer, LOGS)
    )
    lines += ["", f"  run      {manifest.run}"]
    if before:
        now = lake.version(flow.silver)
        lines.append(f"  before   {before.run}: {_difference(now, before)}")
    if flow.chart_dataset:
        picture = Path(str(flow.chart_dataset.object)).name
        lines.append(f"  picture  {Folders.load().visualizations / picture}")
    lines.append(f"  page     {local_file(flow, Folders.load().visualizations)}")
    if errors:
        lines.append(f"  errors   {errors} logs of failed runs under <layer>/{LOGS}")
    return "\n".join(lines)


def _difference(now: Manifest, before: Manifest) -> str:
    """The changes of a run in silver, for people."""
    if now.objects == before.objects:
        return "the same rows, so no data were written again"
    counted = (now.changes or Changes()).model_dump(exclude={"partitions"})
    text = ", ".join(f"{number:,} {what}" for what, number in counted.items() if number)
    new = len(set(now.objects) - set(before.objects))
    return f"{text or 'no row differs'}; {new:,} of {len(now.objects):,} objects are new"
