"""A run in a process of its own that can be killed: the four blocks, without the start of Mage.

Mage takes seconds to start, and these tests run the pipeline hundreds of times.
"""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Iterable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

# Imported before the fork, so that a run starts at once.
import mage_ai.data_preparation.decorators
import matplotlib.pyplot
import seaborn

from data.breweries.flow import FLOW
from data.medallion.context import Summary
from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import Dataset

__all__ = ["mage_ai", "matplotlib", "seaborn", "start", "through_blocks"]


def start(settings: Mapping[str, str], output: Path) -> BaseProcess:
    """Start a run with some settings; what it prints goes to a file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_run, args=(dict(settings), output), daemon=True)
    process.start()
    return process


def _run(settings: dict[str, str], output: Path) -> None:
    os.environ.clear()
    os.environ.update(settings)
    with output.open("a", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        through_blocks(FLOW.datasets)
        sys.exit(0)


def through_blocks(datasets: Iterable[Dataset], summary: Summary | None = None) -> Summary | None:
    """Run the blocks of some datasets in order, without Mage's start.

    `summary` is what the block before them gave; what the last of them gives is returned.
    """
    for dataset in datasets:
        (file,) = PROJECT.glob(f"*/{dataset.block}.py")
        block = runpy.run_path(str(file))[dataset.block]
        summary = block(summary) if summary else block()
    return summary
