"""A version made anew from bronze's history, by the pipeline's own code, in a local folder.

Equal answers are equal bytes, as long as the code and pyarrow are the same: nothing else of an
earlier version need be kept. The live lake is only read.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

from ..flow import Flow
from ..host.workspace import workspace
from ..lake.errors import LakeError
from ..lake.manifest import Changes
from ..lake.runs import new_run
from ..lake.versions import Lake
from ..layers import bronze, gold, silver
from ..settings import LakeSettings, Settings
from ..steps import step_of
from ..work.engine import Machine
from ..writer import View, made_by
from .errors import NoVersionThen
from .folder import FolderStore
from .history import Moment, answers, snapshot_at


class MadeByOtherCode(UserWarning):
    """A version was made by other code than it is made anew by; its bytes may differ."""


@contextmanager
def lake_at(live: Lake, flow: Flow, moment: Moment | None) -> Iterator[Lake]:
    """The lake as it was for a flow: the live one where that is still so, else one made anew.

    Raises:
        TimeUnclear, NoVersionThen, HistoryThinned: it cannot be told what was current then.
    """
    with ExitStack() as stack:
        if moment is not None:
            now = [live.published(dataset) for dataset in (flow.bronze, flow.silver, *flow.gold)]
            snapshot = snapshot_at([*answers(live, flow).values()], moment, now[1])
            if not all(manifest and manifest.snapshot == snapshot for manifest in now):
                live = stack.enter_context(made_anew(live, flow, snapshot))
        yield live


def changes(lake: Lake, flow: Flow, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """The report of what changed from one version of silver to another (docs/lake.md#silver).

    Args:
        lake: to read.
        flow: whose silver it is.
        start: the version before; None for the newest publish that changed something.
        end: the version after; None for the published one.

    Raises:
        ReadError, LakeError: there are no such versions.
    """
    if start is None:
        return _stored(lake, flow)
    kept, now = [*answers(lake, flow).values()], lake.version(flow.silver).manifest
    before = snapshot_at(kept, start, now)
    after = now.snapshot if end is None else snapshot_at(kept, end, now)
    with made_anew(lake, flow, before, after) as past:
        manifest = past.version(flow.silver).manifest
        if manifest.changes != Changes():
            return _stored(past, flow)
    # A publish that changes nothing writes no report.
    none = Changes().model_dump()
    return {"run": manifest.run, "snapshot": after, "before": before, "counts": none}


def _stored(lake: Lake, flow: Flow) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(b"".join(lake.store.stream("silver", flow.changes)))
    return report


@contextmanager
def made_anew(live: Lake, flow: Flow, *snapshots: str) -> Iterator[Lake]:
    """A lake in a folder in which some versions were published, one after the other.

    Raises:
        NoVersionThen: bronze keeps no such answer.
        MadeByOtherCode: is warned of, where it is so.
    """
    unlimited = {"history_versions": 0, "history_days": 0}
    settings = Settings(LakeSettings.load(), flow.load_settings().model_copy(update=unlimited))
    blocks = (
        ((flow.bronze,), bronze.extract), ((flow.silver,), silver.transform),
        (flow.gold, gold.aggregate),
    )  # fmt: skip
    with workspace() as objects, workspace() as scratch:
        lake = Lake(store := FolderStore(objects, settings.lake))
        # Not the engine of the settings: no other machine knows the folder.
        view = View(lake, Machine(settings.lake, lake, scratch), flow)
        for snapshot in snapshots:
            _fetch(live, flow, store, snapshot)
            run = new_run()
            for datasets, work in blocks:
                with (
                    step_of(view, datasets, run, settings, store) as step,
                    redirect_stdout(sys.stderr),  # what the blocks print is no part of an answer
                ):
                    work(replace(step, variables={"snapshot": snapshot}))
        yield lake


def _fetch(live: Lake, flow: Flow, store: FolderStore, snapshot: str) -> None:
    """Bring an answer into the history of the folder's lake."""
    kept, key = answers(live, flow), f"{flow.bronze.history}{snapshot}.json"
    if (stat := kept.get(snapshot)) is None:
        raise NoVersionThen(snapshot, next(iter(kept), ""))
    told = {"run": stat.run, "snapshot": snapshot, "sha256": stat.sha256, "rows": f"{stat.rows}"}
    try:
        store.add("bronze", key, live.chunks("bronze", stat.entry), told)
    except LakeError:
        if stat.key == key:
            raise
        return _fetch(live, flow, store, snapshot)  # it went to the history meanwhile
    if stat.made_by != (now := made_by(flow.package)):
        warnings.warn(
            f"The version {snapshot} was made by {stat.made_by} and is made anew by {now}: "
            "its rows may differ from those of then, and so may its bytes.",
            MadeByOtherCode,
            stacklevel=2,
        )
    return None
