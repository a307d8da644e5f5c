"""Earlier versions: which there are, which was current when, and each made again in a local folder.

The pipeline's own code makes it from a snapshot of bronze's history. Equal snapshots give equal
bytes, as long as the code and pyarrow are the same: nothing else of an earlier version need be
retained. The live lake is only read.
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
from ..lake.records import record_texts
from ..lake.runs import RUN, began, new_run, time_of
from ..lake.versions import Lake, Stat
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
    """A version: its snapshot, its records, and what changed since the one before."""

    snapshot: str
    began: datetime
    """When that run began; the versions of its day are published some minutes later at most."""
    records: int
    added: int
    """Records against the version before, by their key; 0 for the oldest."""
    removed: int
    changed: int


class MadeByOtherCode(UserWarning):
    """A version was made by other code than it is made anew by; its bytes may differ."""


def snapshots(lake: Lake, flow: Flow) -> dict[str, Stat]:
    """The snapshots that bronze retains, by their ids, the oldest first."""
    # A replayed snapshot is in both places; in the history it is as it was first published.
    earlier = map(flow.bronze.earlier, lake.history(flow.bronze))
    stats = lake.store.each(partial(lake.stat, "bronze"), [str(flow.bronze.object), *earlier])
    found = {stat.snapshot: stat for stat in stats if stat and stat.snapshot}
    return dict(sorted(found.items()))


def versions(lake: Lake, flow: Flow) -> Iterator[ListedVersion]:
    """As `read.versions`, of a flow in a lake."""
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
        retained: the snapshots that bronze retains, the oldest first.
        moment: when.
        published: what silver is since the run that confirmed it, be it a replay.

    Raises:
        TimeUnclear: the moment is none of its forms.
        NoVersionThen, HistoryThinned: bronze retains no snapshot of then, or it is not sure which.
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
    """A text that the ids of later runs are not less than."""
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
    """Each record's key to a hash of its text; one without a key has its text's hash as key."""
    found = {}
    for text in record_texts(lake.lines("bronze", stat.entry)):
        digest = blake2b(text, digest_size=16).digest()
        record = orjson.loads(text)
        key = flow.table.value(record, flow.table.key) if isinstance(record, dict) else None
        found[digest if key is None else str(key).encode()] = digest
    return found


@contextmanager
def lake_at(live: Lake, flow: Flow, moment: Moment | None) -> Iterator[Lake]:
    """The lake as it was for a flow: the live one where that is still so, else one made anew.

    Raises:
        TimeUnclear, NoVersionThen, HistoryThinned: it cannot be told what was current then.
    """
    with ExitStack() as stack:
        if moment is not None:
            now = [live.published(dataset) for dataset in (flow.bronze, flow.silver, *flow.gold)]
            snapshot = snapshot_at([*snapshots(live, flow).values()], moment, now[1])
            if not all(manifest and manifest.snapshot == snapshot for manifest in now):
                live = stack.enter_context(made_anew(live, flow, snapshot))
        yield live


def changes(lake: Lake, flow: Flow, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """As `read.changes`, of a flow in a lake."""
    if start is None:
        return _stored(lake, flow)
    retained, now = [*snapshots(lake, flow).values()], lake.version(flow.silver).manifest
    before = snapshot_at(retained, start, now)
    after = now.snapshot if end is None else snapshot_at(retained, end, now)
    with made_anew(lake, flow, before, after) as past:
        manifest = past.version(flow.silver).manifest
        if manifest.changes != Changes():
            return _stored(past, flow)
    # A publish that changes nothing writes no report.
    said = {"run": manifest.run, "snapshot": after, "before": before}
    return {**said, "counts": Changes().model_dump()}


def _stored(lake: Lake, flow: Flow) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(b"".join(lake.store.stream("silver", flow.changes)))
    return report


@contextmanager
def made_anew(live: Lake, flow: Flow, *snapshots: str) -> Iterator[Lake]:
    """A lake in a folder in which some versions were published, one after the other.

    Raises:
        NoVersionThen: bronze retains no such snapshot.
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
                    redirect_stdout(sys.stderr),  # what the blocks print is no part of the output
                ):
                    work(replace(step, variables={"snapshot": snapshot}))
        yield lake


def _fetch(live: Lake, flow: Flow, store: FolderStore, snapshot: str) -> None:
    """Copy a snapshot into the history of the folder's lake."""
    retained, key = snapshots(live, flow), flow.bronze.earlier(snapshot)
    if (stat := retained.get(snapshot)) is None:
        raise NoVersionThen(snapshot, next(iter(retained), ""))
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
