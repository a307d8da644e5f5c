"""The frame of every block: settings, the lake, leases and the error log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from .errors import FlowUnusable, MedallionError, SecretBlanked
from .flow import Flow
from .flows import check
from .host.console import tell
from .lake import lease, logs
from .lake.datasets import Dataset
from .lake.errors import BucketMissing, StoreError, StoreUnreachable
from .lake.runs import new_run
from .lake.store import Store
from .lake.versions import Lake
from .settings import LakeSettings, Settings, known_secrets, spool_folder
from .work.engine import engine_of
from .writer import Step, Summary, View, Writer

UNEXPECTED = (
    "No version was half written. This error is unexpected: run again, and if it comes back, "
    "report it with its error log."
)

T = TypeVar("T")


def run_block(
    flow: Flow,
    target: Dataset | Sequence[Dataset] | None,
    work: Callable[[Step], T],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> T | None:
    """Do a block's work under its leases; if it fails, write an error log to the layer and raise.

    Mage runs callbacks only under its scheduler, so the log is written here and not in a callback.
    `target` are the datasets that the block writes, `variables` are Mage's keyword arguments, and
    `upstream` is the return value of the previous block; None in the first block of a run.
    """
    if target is None:  # a flow needs no chart
        tell(f"  {flow.blocks.chart} has no chart to draw, and may be removed from the pipeline")
        return None

    def leased(view: View, settings: Settings, datasets: Sequence[Dataset], run: str) -> T:
        leases = Lake.connect(settings.lake.for_leases).store
        layer, log = datasets[0].layer, logs.key_of(run, datasets[0].block)
        made_from = upstream.get("entry", "") if upstream else None
        failed = _attempt(variables) > 1
        try:
            failed |= log in view.lake.store.listed(layer, log)
        except BucketMissing:
            view.lake.store.create_bucket(layer)
        if upstream and failed:
            made_from = ""  # the block failed before in this run
        with step_of(view, datasets, run, settings, leases, made_from) as step:
            if not upstream:
                step.writer.lease.verify_conditional_writes()
            try:
                return work(replace(step, variables=variables))
            finally:
                for writer in step.writers:
                    writer.end()

    return _logged(flow, target, variables, upstream, leased)


def _attempt(variables: Mapping[str, Any]) -> int:
    """Mage's number of this attempt; the first one is 1."""
    return int((variables.get("retry") or {}).get("attempts") or 1)


@contextmanager
def step_of(
    view: View,
    datasets: Sequence[Dataset],
    run: str,
    settings: Settings,
    leases: Store,
    made_from: str | None = None,
) -> Iterator[Step]:
    """Hold the leases of a block's datasets while the context lasts.

    `leases` is the client of the store that renews them; `made_from` is as in `Writer.of`.

    Raises:
        LeaseHeld: another run holds one of the leases.
    """
    limits = settings.lake.lease, settings.lake.lease_wait
    with ExitStack() as stack:
        # Always in the same order, so that two runs never wait for each other.
        held = [stack.enter_context(lease.hold(leases, d, run, *limits)) for d in datasets]
        if any(mine.was_held_by_run for mine in held):
            made_from = ""
        both = zip(datasets, held, strict=True)
        writers = tuple(Writer.of(view, one, run, mine, made_from) for one, mine in both)
        yield Step(view.lake, view.engine, view.flow, run, settings, writers)


def check_block(
    flow: Flow,
    target: Dataset | Sequence[Dataset] | None,
    verify: Callable[[View], None],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> None:
    """Check what a block published, as a reader would; errors are logged as in `run_block`."""
    if target is not None:
        _logged(flow, target, variables, upstream, lambda view, *_: verify(view), "-check")


def _deliver(spool: Path, lake: Lake) -> None:
    """Deliver the error logs that wait; if the store does not accept them, the run continues."""
    try:
        logs.deliver(spool, lake.store)
    except StoreError as error:
        tell(f"The error logs in {spool} are not delivered yet. {error}")


def _logged(
    flow: Flow,
    target: Dataset | Sequence[Dataset],
    variables: Mapping[str, Any],
    upstream: Summary | None,
    work: Callable[[View, Settings, Sequence[Dataset], str], T],
    suffix: str = "",
) -> T:
    """Do some work with a view, the settings, the datasets and the run; log its error.

    `suffix` makes the name of the work's scratch another than that of the run.

    No secret may leave this process with an error: not in the log, not in the output, and not in
    the error itself, because Mage prints and stores it.
    """
    if not target:
        raise FlowUnusable(flow.name, "it has no such dataset for this block", "declare it")
    datasets = (target,) if isinstance(target, Dataset) else target
    run = (upstream or {}).get("run") or new_run()
    settings = lake = None
    spool = spool_folder() / flow.name
    try:
        settings = LakeSettings.load()
        lake = Lake.connect(settings)
        check(flow)
        both = Settings(settings, flow.load_settings())
        _deliver(spool, lake)
        with engine_of(settings, lake, run + suffix, flow.package) as engine:
            return work(View(lake, engine, flow), both, datasets, run)
    except Exception as error:
        attempt = _attempt(variables)
        log = logs.describe(error, flow.name, datasets[0], run, attempt, dict(upstream or {}))
        if settings and isinstance(error, StoreUnreachable):
            lake = Lake.connect(settings, retry_more=False)  # we have already waited for the store
        secrets = known_secrets()
        where = logs.keep(secrets.value(log), spool, lake.store if lake else None)
        kind, message = type(error).__name__, secrets.text(str(error))
        remedy = "" if isinstance(error, MedallionError) else f"\n{UNEXPECTED}"
        tell(f"The error log is {where}\n{kind}: {message}{remedy}")
        if not secrets.shows("\n".join((log["traceback"], str(log["facts"]), log["message"]))):
            raise
    # Outside the `except`, so that it does not contain the original error.
    raise SecretBlanked(kind, message)
