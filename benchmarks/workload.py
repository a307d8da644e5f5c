"""What is worked on: a lake whose bronze holds the sandbox's breweries so many times over."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.lake import Lake
from data.medallion.lake.records import CONTENT_TYPE, array_lines
from data.medallion.lake.runs import new_run
from data.medallion.settings import LakeSettings
from data.medallion.stages import BRONZE
from sandbox.breweries.generator import generate
from sandbox.breweries.multiplier import multiplied
from sandbox.lakes import variables
from sandbox.store import embedded_store

BREWERIES = 11_822
BUCKET_PREFIX = "benchmark-"


@dataclass(frozen=True)
class Workload:
    """A lake with bronze alone, and the same records in a local file."""

    lake: Lake
    file: Path
    rows: int
    environment: dict[str, str]
    """It names the lake's store."""

    def empty(self) -> None:
        """Remove what a job made, so that the next one writes all of it."""
        for layer in LAYERS[1:]:
            self.lake.store.create_bucket(layer)
            self.lake.store.remove(layer, list(self.lake.store.listed(layer, "")))


@contextmanager
def workload(times: int) -> Iterator[Workload]:
    """The breweries so many times over, in an embedded store that the environment names."""
    records = generate(BREWERIES)
    with lake_of(multiplied(records, times), times * len(records)) as work:
        yield work


@contextmanager
def lake_of(records: Iterable[str], rows: int) -> Iterator[Workload]:
    """So many records, as JSON texts, in a store that the environment names.

    It is that of `MINIO_ENDPOINT`, in buckets of its own, or else an embedded one.
    """
    with tempfile.TemporaryDirectory(prefix="breweries-bench-") as name:
        folder = Path(name)
        with store_of(folder / "store"):
            file = folder / "bronze.json"
            with file.open("wb") as lines:
                lines.writelines(array_lines(records))
            yield _stored(file, rows)


@contextmanager
def embedded(work: Workload) -> Iterator[Workload]:
    """The same in an embedded store beside that of the environment."""
    with embedded_store(work.file.with_name("embedded")) as settings, variables(settings):
        yield _stored(work.file, work.rows)


@contextmanager
def store_of(folder: Path) -> Iterator[None]:
    """The store of the environment, emptied afterwards; else an embedded one, in a folder."""
    if "MINIO_ENDPOINT" not in os.environ:
        with embedded_store(folder) as settings, variables(settings):
            yield
        return
    with variables({"LAKE_BUCKET_PREFIX": BUCKET_PREFIX}):
        store = Lake.connect(LakeSettings.load()).store
        try:
            yield
        finally:
            for layer in LAYERS:
                store.create_bucket(layer)
                store.remove(layer, list(store.listed(layer, "")))


def _stored(file: Path, rows: int) -> Workload:
    """Store the file as a snapshot of a release without logs, which bronze's block replays."""
    run, lake = new_run(), Lake.connect(LakeSettings.load())
    lake.store.create_bucket("bronze")
    lake.store.put("bronze", FLOW.bronze.earlier(run), file, CONTENT_TYPE)
    BRONZE.run(FLOW, {"snapshot": run})
    return Workload(lake, file, rows, dict(os.environ))
