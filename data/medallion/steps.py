"""What every block does around its own work: settings, the lake, its lease, the error log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from .errors import FlowUnusable, MedallionError, SecretBlanked
from .flow import Flow
from .flows import check
from .host.console import tell
from .lake import lease, logs
from .lake.datasets import Dataset
from .lake.errors import StoreUnreachable
from .lake.runs import new_run
from .lake.store import Store
from .lake.versions import Lake
from .settings import LakeSettings, Settings, known_secrets, spool_folder
from .work.engine import engine_of
from .writer import Step, Summary, View, Writer

UNEXPECTED = (
    "No version was half written. This error was not foreseen: run again, and if it comes back, "
    "report it with its error log."
)

T = TypeVar("T")


def run_block(
    flow: Flow,
    target: Dataset | Sequence[Dataset] | None,
    work: Callable[[Step], T],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> T:
    """Do a block's work under its leases; if it fails, leave an error log in the layer, and raise.

    Mage runs callbacks under its scheduler only, so the log is written here, around the work.

    Args:
        flow: whose block it is.
        target: the datasets that the block writes.
        work: given the step, does it and returns what the block returns.
        variables: Mage's keyword arguments.
        upstream: what the block before returned; without it, this is the start of a run.
    """
    datasets = _datasets(flow, target)
    run = (upstream or {}).get("run") or new_run()

    def leased(settings: Settings, lake: Lake) -> T:
        leases = Lake.connect(settings.lake.for_leases).store
        with (
            engine_of(settings.lake, lake, run, flow.package) as engine,
            step_of(View(lake, engine, flow), datasets, run, settings, leases) as step,
        ):
            if not upstream:
                step.writer.lease.race_once_a_day()
            return work(replace(step, variables=variables))

    return _logged(flow, datasets[0], run, variables, upstream, leased)


@contextmanager
def step_of(
    view: View, datasets: Sequence[Dataset], run: str, settings: Settings, leases: Store
) -> Iterator[Step]:
    """A block at work on some datasets of a flow, for as long as it holds their leases.

    Args:
        view: the lake, the engine and the flow.
        datasets: that the block writes.
        run: its run.
        settings: of the lake and of the flow.
        leases: the store by which the leases are held.

    Raises:
        LeaseHeld: another run holds one.
    """
    limits = settings.lake.lease, settings.lake.lease_wait
    with ExitStack() as stack:
        # Always in the same order, so that two runs never wait for each other.
        held = [stack.enter_context(lease.hold(leases, d, run, *limits)) for d in datasets]
        writers = tuple(
            Writer.of(view.flow, view.lake, settings, dataset, run, mine)
            for dataset, mine in zip(datasets, held, strict=True)
        )
        yield Step(view.lake, view.engine, view.flow, run, settings, writers)


def check_block(
    flow: Flow,
    target: Dataset | Sequence[Dataset] | None,
    verify: Callable[[View], None],
    variables: Mapping[str, Any],
    upstream: Summary | None = None,
) -> None:
    """Check what a block published, as a reader would; errors are logged as those of its work."""
    dataset = _datasets(flow, target)[0]
    run = (upstream or {}).get("run") or new_run()

    def checked(settings: Settings, lake: Lake) -> None:
        with engine_of(settings.lake, lake, f"{run}-check", flow.package) as engine:
            verify(View(lake, engine, flow))

    _logged(flow, dataset, run, variables, upstream, checked)


def _datasets(flow: Flow, target: Dataset | Sequence[Dataset] | None) -> Sequence[Dataset]:
    if not target:
        raise FlowUnusable(flow.name, "it has no such dataset for this block", "declare it")
    return (target,) if isinstance(target, Dataset) else target


def _logged(
    flow: Flow,
    dataset: Dataset,
    run: str,
    variables: Mapping[str, Any],
    upstream: Summary | None,
    work: Callable[[Settings, Lake], T],
) -> T:
    """Do some work with the settings and the lake; what it raises becomes an error log.

    No secret leaves this process with an error: not in the log, not in the output, and not in the
    error itself, which Mage prints and stores.
    """
    settings = lake = None
    spool = spool_folder() / flow.name
    try:
        settings = LakeSettings.load()
        lake = Lake.connect(settings)
        check(flow)
        both = Settings(settings, flow.load_settings())
        lake.store.create_bucket(dataset.layer)
        for waiting in (spool, spool.parent):  # the second: of older releases
            logs.deliver(waiting, lake.store)
        return work(both, lake)
    except Exception as error:
        attempt = (variables.get("retry") or {}).get("attempts") or 1
        log = logs.describe(error, flow.name, dataset, run, attempt, dict(upstream or {}))
        if settings and isinstance(error, StoreUnreachable):
            lake = Lake.connect(settings, patient=False)  # we have waited for it already
        secrets = known_secrets()
        where = logs.keep(secrets.value(log), spool, lake.store if lake else None)
        kind, message = type(error).__name__, secrets.text(str(error))
        remedy = "" if isinstance(error, MedallionError) else f"\n{UNEXPECTED}"
        tell(f"The error log is {where}\n{kind}: {message}{remedy}")
        if not secrets.shows("\n".join((log["traceback"], str(log["facts"]), log["message"]))):
            raise
    # Outside the `except`, so that it does not carry the other one along.
    raise SecretBlanked(kind, message)
