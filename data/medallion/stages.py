"""The four stages of a flow, and the frame of their blocks: settings, the lake, leases, error logs.

A block of Mage calls nothing else of this package.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from .context import FlowContext, Summary
from .errors import MedallionError, SecretBlanked
from .flow import Flow
from .host.console import show_messages
from .lake import error_logs, lease
from .lake.datasets import Dataset
from .lake.errors import BucketMissing, StoreError, StoreUnreachable
from .lake.lake import Lake
from .lake.runs import new_run
from .lake.store import Store
from .layers import bronze, chart, gold
from .layers.silver import compare, publish
from .settings import LakeSettings, Settings, known_secrets, spool_folder
from .step import Step
from .work.engine import engine_of
from .writer import Writer

logger = logging.getLogger(__name__)

UNEXPECTED = (
    "No version was half written. This error is unexpected: run again, and if it comes back, "
    "report it with its error log."
)

T = TypeVar("T")

Verify = Callable[[FlowContext, Dataset], None]
"""Checks the published version of a dataset, and raises if it is not whole."""


@dataclass(frozen=True)
class Stage:
    """One stage of the way from the API to the chart, for any flow.

    In its methods, `variables` are Mage's keyword arguments, and `upstream` is what the previous
    block returned; it is None in the first block of a run.
    """

    name: Literal["bronze", "silver", "gold", "chart"]
    work: Callable[[Step], Summary | None]
    verify: Verify
    """What the test of the block calls, after which the next block reads the dataset."""
    verify_alone: Verify
    """As `verify`, where nobody reads the dataset afterwards."""

    def datasets(self, flow: Flow) -> tuple[Dataset, ...]:
        """The datasets that the block writes; none for a chart that the flow does not have."""
        block = getattr(flow.blocks, self.name)
        return tuple(dataset for dataset in flow.datasets if dataset.block == block)

    def run(
        self, flow: Flow, variables: Mapping[str, Any], upstream: Summary | None = None
    ) -> Summary | None:
        """Publish the datasets, under their leases; if that fails, log the error and raise.

        Mage runs callbacks only under its scheduler, so no callback writes the error log.
        """

        def work(context: FlowContext, settings: Settings, run: str) -> Summary | None:
            leases = Lake.connect(settings.lake.for_leases).store
            made_from = self._made_from(context, run, variables, upstream)
            with self.step(context, run, settings, leases, made_from) as step:
                if not upstream:
                    step.writer.lease.verify_conditional_writes()
                try:
                    return self.work(replace(step, variables=variables))
                finally:
                    for writer in step.writers:
                        writer.end()

        show_messages("stdout")
        if self.datasets(flow):
            return self._logged(flow, variables, upstream, work)
        block = getattr(flow.blocks, self.name) or self.name
        logger.info(f"  {block} has nothing to publish, and may be removed from the pipeline")
        return None

    def check(
        self, flow: Flow, variables: Mapping[str, Any], upstream: Summary | None = None
    ) -> None:
        """Check what the block published; if that fails, log the error and raise."""

        def work(context: FlowContext, *_: object) -> None:
            for dataset in self.datasets(flow):
                self.verify(context, dataset)

        show_messages("stdout")
        if self.datasets(flow):
            self._logged(flow, variables, upstream, work, "-check")

    @contextmanager
    def step(
        self,
        context: FlowContext,
        run: str,
        settings: Settings,
        leases: Store,
        made_from: str | None = None,
    ) -> Iterator[Step]:
        """Hold the leases of the datasets while the context lasts.

        `leases` is the client of the store that renews them; `made_from` is as in `Writer.of`.

        Raises:
            LeaseHeld: another run holds one of the leases.
        """
        limits = settings.lake.lease, settings.lake.lease_wait
        datasets = self.datasets(context.flow)
        with ExitStack() as stack:
            # Always in the same order, so that two runs never wait for each other.
            held = [stack.enter_context(lease.hold(leases, d, run, *limits)) for d in datasets]
            if any(mine.was_held_by_run for mine in held):
                made_from = ""
            both = zip(datasets, held, strict=True)
            writers = tuple(Writer.of(context, one, run, mine, made_from) for one, mine in both)
            yield Step(context.lake, context.engine, context.flow, run, settings, writers)

    def _made_from(
        self,
        context: FlowContext,
        run: str,
        variables: Mapping[str, Any],
        upstream: Summary | None,
    ) -> str | None:
        """As in `Writer.of`: "" if the block failed before in this run."""
        store, dataset = context.lake.store, self.datasets(context.flow)[0]
        failed, log = _attempt(variables) > 1, error_logs.key_of(run, dataset.block)
        try:
            failed |= log in store.listed(dataset.layer, log)
        except BucketMissing:
            store.create_bucket(dataset.layer)
        if upstream is None:
            return None
        return "" if failed else upstream.get("entry", "")

    def _logged(
        self,
        flow: Flow,
        variables: Mapping[str, Any],
        upstream: Summary | None,
        work: Callable[[FlowContext, Settings, str], T],
        suffix: str = "",
    ) -> T:
        """Do some work with a context, the settings and the run; log its error.

        `suffix` makes the name of the work's scratch another than that of the run.

        No secret may leave this process with an error: not in the log, not in the output, and not
        in the error itself, because Mage prints and stores it.
        """
        run = (upstream or {}).get("run") or new_run()
        settings = lake = None
        spool = spool_folder() / flow.name
        try:
            settings = LakeSettings.load()
            lake = Lake.connect(settings)
            flow.check()
            both = Settings(settings, flow.load_settings())
            _deliver(spool, lake)
            with engine_of(settings, lake, run + suffix, flow.package) as engine:
                return work(FlowContext(lake, engine, flow), both, run)
        except Exception as error:
            attempt = _attempt(variables)
            dataset, working_on = self.datasets(flow)[0], dict(upstream or {})
            log = error_logs.describe(error, flow.name, dataset, run, attempt, working_on)
            if settings and isinstance(error, StoreUnreachable):
                # We have already waited for the store.
                lake = Lake.connect(settings, retry_more=False)
            secrets = known_secrets()
            kept = error_logs.keep(secrets.value(log), spool, lake.store if lake else None)
            kind, message = type(error).__name__, secrets.text(str(error))
            remedy = "" if isinstance(error, MedallionError) else f"\n{UNEXPECTED}"
            logger.error(f"The error log is {kept}\n{kind}: {message}{remedy}")
            if not secrets.shows("\n".join((log["traceback"], str(log["facts"]), log["message"]))):
                raise
        # Outside the `except`, so that it does not contain the original error.
        raise SecretBlanked(kind, message)


def _attempt(variables: Mapping[str, Any]) -> int:
    """Mage's number of this attempt; the first one is 1."""
    return int((variables.get("retry") or {}).get("attempts") or 1)


def _deliver(spool: Path, lake: Lake) -> None:
    """Deliver the error logs that wait; if the store does not accept them, the run continues."""
    try:
        error_logs.deliver(spool, lake.store)
    except StoreError as error:
        logger.warning(f"The error logs in {spool} are not delivered yet. {error}")


BRONZE = Stage("bronze", bronze.extract, bronze.verify, bronze.verify)
SILVER = Stage("silver", publish.transform, publish.verify, compare.verify)
GOLD = Stage("gold", gold.aggregate, gold.verify, gold.verify)
CHART = Stage("chart", chart.visualize, chart.verify, chart.verify)
STAGES = (BRONZE, SILVER, GOLD, CHART)
"""In the order of a run."""
