"""Earlier versions: lists them, finds the version of a moment, and rebuilds it in a local folder.

The pipeline's own code rebuilds a version from a snapshot of bronze's history. Equal snapshots give
equal bytes with the same code and pyarrow. So the lake need not keep anything else of an earlier
version. The live lake is only read.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson

from ..flow import Flow
from ..host.workspace import workspace
from ..lake.errors import LakeError
from ..lake.manifest import Changes, Manifest
from ..lake.metadata import Stat
from ..lake.records import record_texts
from ..lake.runs import RUN, began, new_run, time_of
from ..lake.versions import Lake
from ..layers import bronze, gold, silver
from ..settings import LakeSettings, Settings
from ..steps import step_of
from ..work.engine import Machine
from ..writer import View, made_by
from .errors import HistoryThinned, NoVersionThen, TimeUnclear
from .folder import FolderStore

Moment = str | date
"""A day (its end, in UTC), a time with its zone, or a run."""


@dataclass(frozen=True)
class ListedVersion:
    """A version: its snapshot, its records, and the changes since the previous version."""

    snapshot: str
    began: datetime
    """When its run began; the run publishes at most some minutes later."""
    records: int
    added: int
    """Records that are new since the previous version, by key; 0 for the oldest version."""
    removed: int
    changed: int


class MadeByOtherCode(UserWarning):
    """A version is rebuilt with different code than the original; its bytes may differ."""


def snapshots(lake: Lake, flow: Flow) -> dict[str, Stat]:
    """All snapshots in bronze, by id, oldest first."""
    # A replayed snapshot is in both places. The copy in the history is the original.
    earlier = map(flow.bronze.earlier, lake.history(flow.bronze))
    stats = lake.store.each(partial(lake.stat, "bronze"), [str(flow.bronze.object), *earlier])
    found = {stat.snapshot: stat for stat in stats if stat and stat.snapshot}
    return dict(sorted(found.items()))


def versions(lake: Lake, flow: Flow) -> Iterator[ListedVersion]:
    """As `read.versions`, for a flow in a lake."""
    before: dict[bytes, bytes] | None = None
    for snapshot, stat in snapshots(lake, flow).items():
        now = _hashes(lake, flow, stat)
        was = now if before is None else before
        both = was.keys() & now.keys()
        added, removed = len(now) - len(both), len(was) - len(both)
        changed = sum(was[key] != now[key] for key in both)
        yield ListedVersion(snapshot, time_of(snapshot), stat.rows, added, removed, changed)
        before = now


def snapshot_at(retained: Sequence[Stat], moment: Moment, published: Manifest | None = None) -> str:
    """The snapshot of the version that was current at a moment.

    Args:
        retained: all snapshots in bronze, oldest first.
        moment: the moment.
        published: silver's current manifest; the run that wrote it may have been a replay.

    Raises:
        TimeUnclear: the moment is not valid.
        NoVersionThen: bronze has no snapshot of the moment.
        HistoryThinned: a removed snapshot may have been current.
    """
    known = {stat.snapshot for stat in retained}
    if moment in known:
        return str(moment)
    limit = _limit(str(moment))
    if published and published.run < limit:
        return published.snapshot
    until = [stat for stat in retained if stat.snapshot < limit]
    if not until:
        raise NoVersionThen(str(moment), retained[0].snapshot if retained else "")
    later = retained[len(until) :][:1]
    if later and later[0].replaces and later[0].replaces not in known:
        raise HistoryThinned(str(moment), later[0].replaces, later[0].snapshot)
    return until[-1].snapshot


def _limit(moment: str) -> str:
    """A text that is greater than the run ids up to a moment, and not greater than later ones."""
    if re.fullmatch(RUN, moment):
        return f"{moment}~"
    try:
        time = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", moment))  # Python 3.10 reads no Z
    except ValueError:
        raise TimeUnclear(moment) from None
    if re.fullmatch(r"\d{4}-\d\d-\d\d", moment):
        return began(time + timedelta(days=1))
    if time.tzinfo is None:
        raise TimeUnclear(moment)
    return f"{began(time.astimezone(timezone.utc))}~"


def _hashes(lake: Lake, flow: Flow, stat: Stat) -> dict[bytes, bytes]:
    """The key of each record to the hash of its text; without a key, the hash is the key."""
    found = {}
    for text in record_texts(lake.lines("bronze", stat.entry)):
        digest = blake2b(text, digest_size=16).digest()
        record = orjson.loads(text)
        key = flow.table.value(record, flow.table.key) if isinstance(record, dict) else None
        found[digest if key is None else str(key).encode()] = digest
    return found


@contextmanager
def lake_at(live: Lake, flow: Flow, moment: Moment | None) -> Iterator[Lake]:
    """The lake of a flow at a moment: the live lake if it is unchanged since, else a rebuilt one.

    Raises:
        TimeUnclear, NoVersionThen, HistoryThinned: the version of the moment is unknown.
    """
    with ExitStack() as stack:
        if moment is not None:
            now = [live.published(dataset) for dataset in (flow.bronze, flow.silver, *flow.gold)]
            snapshot = snapshot_at([*snapshots(live, flow).values()], moment, now[1])
            if not all(manifest and manifest.snapshot == snapshot for manifest in now):
                live = stack.enter_context(made_anew(live, flow, snapshot))
        yield live


def changes(lake: Lake, flow: Flow, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """As `read.changes`, for a flow in a lake."""
    if start is None:
        return _stored(lake, flow)
    retained, now = [*snapshots(lake, flow).values()], lake.version(flow.silver).manifest
    before = snapshot_at(retained, start, now)
    after = now.snapshot if end is None else snapshot_at(retained, end, now)
    with made_anew(lake, flow, before, after) as past:
        manifest = past.version(flow.silver).manifest
        if manifest.changes != Changes():
            return _stored(past, flow)
    # A publish without changes writes no report.
    head = {"run": manifest.run, "snapshot": after, "before": before}
    return {**head, "counts": Changes().model_dump()}


def _stored(lake: Lake, flow: Flow) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(b"".join(lake.store.stream("silver", flow.changes)))
    return report


@contextmanager
def made_anew(live: Lake, flow: Flow, *snapshots: str) -> Iterator[Lake]:
    """Rebuild some versions in a local folder, one after the other; gives the lake in it.

    Warns with `MadeByOtherCode` if different code made an original.

    Raises:
        NoVersionThen: bronze has no such snapshot.
    """
    unlimited = {"history_versions": 0, "history_days": 0}
    settings = Settings(LakeSettings.load(), flow.load_settings().model_copy(update=unlimited))
    blocks = (
        ((flow.bronze,), bronze.extract), ((flow.silver,), silver.transform),
        (flow.gold, gold.aggregate),
    )  # fmt: skip
    with workspace() as objects, workspace() as scratch:
        lake = Lake(store := FolderStore(objects, settings.lake))
        # Not the engine of the settings, because no other machine has the folder.
        view = View(lake, Machine(settings.lake, lake, scratch), flow)
        for snapshot in snapshots:
            _fetch(live, flow, store, snapshot)
            run = new_run()
            for datasets, work in blocks:
                with (
                    step_of(view, datasets, run, settings, store) as step,
                    redirect_stdout(sys.stderr),  # the blocks' messages are not part of the output
                ):
                    work(replace(step, variables={"snapshot": snapshot}))
        yield lake


def _fetch(live: Lake, flow: Flow, store: FolderStore, snapshot: str) -> None:
    """Copy a snapshot into the history of the folder's lake."""
    retained, key = snapshots(live, flow), flow.bronze.earlier(snapshot)
    if (stat := retained.get(snapshot)) is None:
        raise NoVersionThen(snapshot, next(iter(retained), ""))
    more = {"run": stat.run, "snapshot": snapshot, "sha256": stat.sha256, "rows": f"{stat.rows}"}
    try:
        store.add("bronze", key, live.chunks("bronze", stat.entry), more)
    except LakeError:
        if stat.key == key:
            raise
        return _fetch(live, flow, store, snapshot)  # a run moved it to the history meanwhile
    if stat.made_by != (now := made_by(flow.package)):
        warnings.warn(
            f"The version {snapshot} was made by {stat.made_by} and is rebuilt by {now}: "
            "its rows and bytes may differ from the original.",
            MadeByOtherCode,
            stacklevel=2,
        )
    return None
