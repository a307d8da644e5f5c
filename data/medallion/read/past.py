"""A version made anew from bronze's history, by the pipeline's own code, in a local folder.

Equal answers are equal bytes, as long as the code and pyarrow are the same: nothing else of an
earlier version need be kept. The live lake is only read.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..flow import Flow
from ..host.workspace import workspace
from ..lake.errors import LakeError, ManifestMissing
from ..lake.runs import new_run
from ..lake.versions import Lake
from ..layers import bronze, gold, silver
from ..settings import LakeSettings, Settings
from ..steps import step_of
from ..work.engine import R, Task
from ..work.shuffle import Folder, Place
from ..writer import View, made_by
from .errors import NoVersionThen
from .folder import FolderStore
from .history import Moment, answers, snapshot_at

LAYERS = (
    (lambda flow: (flow.bronze,), bronze.extract),
    (lambda flow: (flow.silver,), silver.transform),
    (lambda flow: flow.gold, gold.aggregate),
)


class MadeByOtherCode(UserWarning):
    """A version was made by other code than it is made anew by; its bytes may differ."""


@dataclass(frozen=True)
class Here:
    """An engine of this process, which alone knows the folder."""

    place: Place

    def run(self, tasks: Sequence[Task[R]], doing: str) -> Iterator[R]:
        """As `Engine.run`."""
        return (task(self.place) for task in tasks)


@contextmanager
def lake_at(live: Lake, flow: Flow, moment: Moment | None) -> Iterator[Lake]:
    """The lake as it was for a flow: the live one where that is still so, else one made anew.

    Raises:
        TimeUnclear, NoVersionThen, HistoryThinned: it cannot be told what was current then.
    """
    if moment is None:
        yield live
        return
    kept = answers(live, flow.bronze)
    published = {}
    for dataset in (flow.bronze, flow.silver, *flow.gold):
        try:
            published[dataset] = live.version(dataset).manifest
        except ManifestMissing:
            continue
    snapshot = snapshot_at([*kept.values()], moment, published.get(flow.silver))
    if len(published) == 2 + len(flow.gold) and {m.snapshot for m in published.values()} == {
        snapshot
    }:
        yield live
        return
    with made_anew(live, flow, snapshot) as lake:
        yield lake


@contextmanager
def made_anew(live: Lake, flow: Flow, *snapshots: str) -> Iterator[Lake]:
    """A lake in a folder in which some versions were published, one after the other.

    Raises:
        NoVersionThen: bronze keeps no such answer.
        MadeByOtherCode: is warned of, where it is so.
    """
    with workspace() as folder:
        (folder / "objects").mkdir()
        (folder / "scratch").mkdir()
        settings = LakeSettings.load()
        unlimited = {"history_versions": 0, "history_days": 0}
        both = Settings(settings, flow.load_settings().model_copy(update=unlimited))
        store = FolderStore(folder / "objects", settings)
        lake = Lake(store)
        view = View(lake, Here(Place(lake, Folder(folder / "scratch"))), flow)
        for snapshot in snapshots:
            _fetch(live, flow, store, snapshot)
            run = new_run()
            for datasets, work in LAYERS:
                with step_of(view, datasets(flow), run, both, store) as step:
                    silent = tuple(replace(writer, say=len) for writer in step.writers)
                    work(replace(step, writers=silent, variables={"snapshot": snapshot}))
        yield lake


def _fetch(live: Lake, flow: Flow, store: FolderStore, snapshot: str) -> None:
    """Bring an answer into the history of the folder's lake."""
    stat = (kept := answers(live, flow.bronze)).get(snapshot)
    if stat is None:
        raise NoVersionThen(snapshot, next(iter(kept), ""))
    key = f"{flow.bronze.history}{snapshot}.json"
    try:
        told = {
            "run": stat.run,
            "snapshot": snapshot,
            "sha256": stat.sha256,
            "rows": f"{stat.rows}",
        }
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
