"""What every block does around its own work: settings, the lake, the run's id, the error log."""

from __future__ import annotations

import gc
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import failures
from .datasets import Dataset
from .lake import Lake, Origin
from .manifest import Check, Manifest, Source, StoredObject, code_version, now
from .settings import Folders, Settings

Summary = dict[str, Any]
"""What a block returns and the next one is given: names and counts, small enough to read."""


@dataclass(frozen=True)
class Step:
    """One block at work on its dataset in one run."""

    dataset: Dataset
    run: str
    settings: Settings
    lake: Lake
    variables: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def origin(self, snapshot: str, source: Source) -> Origin:
        """What an object made by this step says of itself."""
        return Origin(self.run, snapshot, source)

    def publish(
        self,
        *,
        snapshot: str,
        source: Source,
        objects: tuple[StoredObject, ...],
        checks: tuple[Check, ...],
        rows_in: int,
        rows_out: int,
        rows_rejected: int = 0,
        rows_duplicate: int = 0,
        rejected: StoredObject | None = None,
    ) -> Manifest:
        """Write the manifest of what this step made: from then on, readers see it."""
        manifest = Manifest(
            layer=self.dataset.layer,
            dataset=self.dataset.name,
            run=self.run,
            snapshot=snapshot,
            created_at=now(),
            source=source,
            objects=objects,
            rejected=rejected,
            rows_in=rows_in,
            rows_out=rows_out,
            rows_rejected=rows_rejected,
            rows_duplicate=rows_duplicate,
            checks=checks,
            seconds=round(time.monotonic() - self.started, 3),
            code_version=code_version(),
        )
        self.lake.publish_manifest(self.dataset, manifest)
        return manifest

    def summary(self, manifest: Manifest, **more: Any) -> Summary:
        """What the block returns; `run` and `snapshot` tie the blocks of a run together."""
        return {
            "run": self.run,
            "snapshot": manifest.snapshot,
            "manifest": f"{self.dataset.layer}/{self.dataset.manifest}",
            "rows_in": manifest.rows_in,
            "rows_out": manifest.rows_out,
            "rows_rejected": manifest.rows_rejected,
            "rows_duplicate": manifest.rows_duplicate,
            **more,
            "seconds": manifest.seconds,
        }


@contextmanager
def _older_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector from going through Mage's own objects during a block.

    There are so many of them that each full collection costs a good part of a small block's time;
    `benchmarks/overhead.py` shows it.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def new_run() -> str:
    """A run's id: UTC start time and a short random part, sortable as text."""
    return f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_block(
    dataset: Dataset,
    work: Callable[[Step], Any],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> Any:
    """Do a block's work; if it fails, leave an error log in the layer and raise on.

    Mage runs callbacks under its scheduler only, so the log is written here, around the work.

    Args:
        dataset: what the block writes.
        work: given the step, does it and returns what the block returns.
        variables: Mage's keyword arguments.
        upstream: what the block before returned; without it, this is the start of a run.
    """
    run = (upstream or {}).get("run") or new_run()
    folders = Folders.load()
    settings = lake = None
    try:
        settings = Settings.load()
        lake = Lake.connect(settings)
        lake.create_bucket(dataset.layer)
        failures.deliver(folders.spool, lake)
        with _older_objects_left_alone():
            return work(Step(dataset, run, settings, lake, variables))
    except Exception as error:
        attempt = (variables.get("retry") or {}).get("attempts") or 1
        log = failures.describe(error, dataset, run, attempt, dict(upstream or {}))
        known = settings.secrets if settings else ()
        where = failures.keep(log, folders.spool, lake, known)
        print(f"{type(error).__name__}: {error}\nThe error log is {where}")
        raise
