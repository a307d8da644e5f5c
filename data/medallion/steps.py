"""What every block does around its own work: settings, the lake, its turn, the error log."""

from __future__ import annotations

import atexit
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
)
from typing_extensions import ParamSpec

from .errors import (
    BreweriesError,
    ManifestMissing,
    ManifestUnreadable,
    SecretBlanked,
    StoreUnreachable,
    TurnLost,
)
from .host.console import tell
from .lake import logs as failures
from .lake.datasets import Dataset
from .lake.lease import Turn, take_turn
from .lake.manifest import Changes, Check, Manifest, Parts, Source, StoredObject, code_version, now
from .lake.runs import new_run
from .lake.store import TRIES
from .lake.versions import Lake, Origin, Stat
from .layers.drift import Drift, Profile
from .settings import Settings, known_secrets, spool_folder
from .work.engine import Engine, engine_of

REMOVED_AT_ONCE = 1000  # keys; what one request takes, and the lease is renewed before each

UNEXPECTED = (
    "No version was half written. This error was not foreseen: run again, and if it comes back, "
    "report it with its error log."
)

P = ParamSpec("P")
T = TypeVar("T")

Summary = dict[str, Any]
"""What a block returns and the next one is given: names and counts, small enough to read."""


@dataclass(frozen=True)
class View:
    """What a check is given: the lake, and what runs tasks on it."""

    lake: Lake
    engine: Engine


@dataclass(frozen=True)
class Step(View):
    """One block at work on its dataset in one run, while no other run writes it."""

    dataset: Dataset
    run: str
    settings: Settings
    turn: Turn
    previous: Manifest | None
    """Of the version published before; None where there is none that can be read."""
    previous_etag: str | None
    there: Mapping[str, Stat | None]
    """The single objects that the block writes, by key, as its turn found them."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def snapshot_to_replay(self) -> str:
        """The runtime variable `snapshot`: the kept answer that a person asked for, or ""."""
        return str(self.variables.get("snapshot") or "")

    def publish_object(
        self,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        *,
        snapshot: str,
        source: Source,
        rows_in: int,
        checks: tuple[Check, ...],
        parts: Parts | None = None,
    ) -> tuple[Manifest, bool]:
        """Make some content the version of a single-object dataset; whether it was written.

        Raises:
            TurnLost: another run has written it since this turn began.
        """
        written = self.store(entry, content, content_type, snapshot, source, rows_in)
        manifest = self.publish(
            snapshot=snapshot,
            source=source,
            objects=(entry,),
            parts=parts,
            checks=checks,
            rows_in=rows_in,
            rows_out=entry.rows,
        )
        return manifest, written

    def store(
        self,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        snapshot: str,
        source: Source,
        rows_in: int = 0,
    ) -> bool:
        """Store one of the single objects that the block writes; whether it was another before.

        Raises:
            TurnLost: another run has written it since this turn began.
        """
        origin = Origin(self.run, snapshot, source, rows_in)
        layer, there = self.dataset.layer, self.there[entry.key]
        return self._in_turn(self.lake.publish, layer, entry, content, content_type, origin, there)

    def copy(self, key: str, version: Stat, to: str) -> None:
        """Copy a version of an object of the layer to another key of it."""
        self._in_turn(self.lake.copy, self.dataset.layer, key, version, to)

    def remove(self, keys: list[str]) -> None:
        """Remove objects of the layer."""
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            block = keys[start : start + REMOVED_AT_ONCE]
            self._in_turn(self.lake.remove, self.dataset.layer, block)

    def _in_turn(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write once it is sure that no other run does; tried again, that is made sure anew."""

        def once() -> T:
            self.turn.confirm()
            return write(*args, **kwargs)

        tries = Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            stop=stop_after_attempt(TRIES) | stop_after_delay(self.settings.store_timeout),
            wait=wait_exponential(0.2),
            reraise=True,
        )
        return tries(once)

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
        parts: Parts | None = None,
        profile: Profile | None = None,
        drift: tuple[Drift, ...] = (),
        changes: Changes | None = None,
    ) -> Manifest:
        """Write the manifest of what this step made: from then on, readers see it.

        Raises:
            TurnLost: another run published meanwhile; this one did not.
        """
        manifest = Manifest(
            layer=self.dataset.layer,
            dataset=self.dataset.name,
            run=self.run,
            snapshot=snapshot,
            created_at=now(),
            source=source,
            objects=objects,
            parts=parts,
            rows_in=rows_in,
            rows_out=rows_out,
            rows_rejected=rows_rejected,
            rows_duplicate=rows_duplicate,
            checks=checks,
            seconds=round(time.monotonic() - self.started, 3),
            code_version=code_version(),
            profile=profile,
            drift=drift,
            changes=changes,
        )
        self.turn.confirm()
        if not self.lake.publish_manifest(self.dataset, manifest, self.previous_etag):
            raise TurnLost(self.dataset.path)
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


def run_block(
    dataset: Dataset,
    work: Callable[[Step], Summary],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> Summary:
    """Do a block's work, in its turn; if it fails, leave an error log in the layer and raise on.

    Mage runs callbacks under its scheduler only, so the log is written here, around the work.

    Args:
        dataset: what the block writes.
        work: given the step, does it and returns what the block returns.
        variables: Mage's keyword arguments.
        upstream: what the block before returned; without it, this is the start of a run.
    """
    run = (upstream or {}).get("run") or new_run()

    def in_turn(settings: Settings, lake: Lake) -> Summary:
        leases = Lake.connect(settings.for_leases)
        with (
            take_turn(leases, dataset, run, settings.lease, settings.turn_limit) as turn,
            engine_of(settings, lake, run) as engine,
            _older_objects_left_alone(),
        ):
            if not upstream:
                turn.race()
            singles = (*((dataset.object,) if dataset.object else ()), *dataset.beside)
            there = {key: lake.stat(dataset.layer, key) for key in singles}
            previous, etag = _previous(lake, dataset)
            return work(
                Step(lake, engine, dataset, run, settings, turn, previous, etag, there, variables)
            )

    return _logged(dataset, run, variables, upstream, in_turn)


def check_block(
    dataset: Dataset,
    check: Callable[[View], None],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> None:
    """Check what a block published, as a reader would; errors are logged as those of its work."""
    run = (upstream or {}).get("run") or new_run()

    def checked(settings: Settings, lake: Lake) -> None:
        with engine_of(settings, lake, f"{run}-check") as engine:
            check(View(lake, engine))

    _logged(dataset, run, variables, upstream, checked)


def _logged(
    dataset: Dataset,
    run: str,
    variables: Mapping[str, Any],
    upstream: Summary | None,
    work: Callable[[Settings, Lake], T],
) -> T:
    """Do some work with the settings and the lake; what it raises becomes an error log.

    What leaves this process of an error has no secret in it: the log, what is printed, and the
    error itself, which Mage prints and keeps.
    """
    settings = lake = None
    try:
        settings = Settings.load()
        lake = Lake.connect(settings)
        lake.create_bucket(dataset.layer)
        failures.deliver(settings.spool, lake)
        return work(settings, lake)
    except Exception as error:
        attempt = (variables.get("retry") or {}).get("attempts") or 1
        log = failures.describe(error, dataset, run, attempt, dict(upstream or {}))
        if settings and isinstance(error, StoreUnreachable):
            lake = Lake.connect(settings, patient=False)  # it was waited for already
        secrets = known_secrets()
        where = failures.keep(secrets.value(log), spool_folder(), lake)
        kind, message = type(error).__name__, secrets.text(str(error))
        remedy = "" if isinstance(error, BreweriesError) else f"\n{UNEXPECTED}"
        tell(f"{kind}: {message}{remedy}\nThe error log is {where}")
        if not secrets.shows("\n".join((log["traceback"], str(log["facts"]), log["message"]))):
            raise
    # Outside the `except`, so that it does not carry the other one along.
    raise SecretBlanked(kind, message)


def _previous(lake: Lake, dataset: Dataset) -> tuple[Manifest | None, str | None]:
    """The manifest that is to be replaced and its ETag; no manifest where it cannot be read."""
    try:
        version = lake.version(dataset)
    except (ManifestMissing, ManifestUnreadable):
        there = lake.get(dataset.layer, dataset.manifest)
        return None, there[1] if there else None
    return version.manifest, version.etag


@contextmanager
def _older_objects_left_alone() -> Iterator[None]:
    """Keep the garbage collector from going through Mage's own objects during a block.

    There are so many of them that each full collection costs a good part of a small block's time,
    and those at the process's end half a second; `benchmarks/overhead.py` shows it.
    """
    atexit.register(gc.freeze)  # what is left then goes with the process
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
