"""Earlier versions: finds the version of a moment in the log, and rebuilds it in a local folder.

The log says what was published when. If the objects of a version are gone, the pipeline's own code
rebuilds them from the snapshot, and each is compared with the log. The live lake is only read.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from ..context import FlowContext
from ..flow import Flow
from ..host.workspace import workspace
from ..lake.datasets import Dataset
from ..lake.errors import VersionLost
from ..lake.folder import FolderStore
from ..lake.lake import Lake
from ..lake.manifest import Changes, Manifest, Snapshot, code_version
from ..lake.runs import RUN, new_run
from ..layers.bronze import snapshots_of
from ..layers.silver.plan import content_of
from ..settings import LakeSettings, Settings
from ..stages import BRONZE, GOLD, SILVER
from ..work.engine import Machine
from ..writer import LIBRARIES
from . import tables
from .errors import NoVersionThen, SnapshotExpired, TimeUnclear

Moment = str | date
"""A day (its end, in UTC), a time with its zone, or a run."""


@dataclass(frozen=True)
class ListedVersion:
    """One publish of silver, and its changes since the version before, as in its change report."""

    version: int
    published_at: datetime
    run: str
    snapshot: str
    records: int  # that it was made from
    added: int
    removed: int
    moved: int
    recategorized: int
    changed: int
    replay: bool
    current: bool


class MadeByOtherCode(UserWarning):
    """A rebuilt version differs from the one that was published."""


def versions(lake: Lake, flow: Flow) -> Iterator[ListedVersion]:
    """As `read.versions`, for a flow in a lake. Versions that are lost are left out."""
    newest = lake.published(flow.silver)
    for _, version in lake.log(flow.silver).entries() if newest else ():
        if version is None or newest is None:
            continue
        same = ("version", "published_at", "run", "snapshot", "replay")
        yield ListedVersion(
            **{name: getattr(version, name) for name in same},
            **(version.changes or Changes()).model_dump(exclude={"partitions"}),
            records=version.rows_in,
            current=version.version == newest.version,
        )


def version_at(lake: Lake, dataset: Dataset, moment: Moment) -> Manifest:
    """The version that was published at a moment: the newest one until then.

    Raises:
        TimeUnclear: the moment is neither a day, nor a time with its zone, nor a run.
        NoVersionThen: the log knows no version of it.
        VersionLost: it may have been a version whose log entry is lost.
    """
    until = None if re.fullmatch(RUN, str(moment)) else _time(moment)
    lost = 0
    oldest: Manifest | None = None
    for number, version in reversed([*lake.log(dataset).entries()]):
        if version is None:
            lost = number
        elif version.run == str(moment) if until is None else version.published_at <= until:
            if lost and until is not None:
                raise VersionLost(dataset.path, lost)
            return version
        else:
            lost, oldest = (lost if until is None else 0), version
    if lost:
        raise VersionLost(dataset.path, lost)
    begins = f"it begins at {oldest.published_at:%Y-%m-%dT%H:%M:%SZ}" if oldest else "it is empty"
    raise NoVersionThen(dataset.path, str(moment), begins)


def _time(moment: Moment) -> datetime:
    """The last time of a moment."""
    text = str(moment)
    try:
        time = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))  # Python 3.10 reads no Z
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return time.replace(tzinfo=timezone.utc) + timedelta(days=1, microseconds=-1)
        if time.tzinfo is None:
            raise TimeUnclear(text)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise TimeUnclear(text) from None


class Past(ExitStack):
    """The versions of a flow at moments, while the context lasts. Each is rebuilt once."""

    def __init__(self, live: Lake, flow: Flow) -> None:
        super().__init__()
        self._live = live
        self._flow = flow
        self._rebuilt: dict[tuple[Snapshot, ...], Lake] = {}

    def table(self, path: str, moment: Moment | None) -> pa.Table:
        """Read a table by layer and name, one of `columns_of`, as it was at a moment."""
        if path == f"rejected/{self._flow.name}":
            return tables.rejected(self.lake(self._flow.silver, moment), self._flow)
        (dataset,) = (dataset for dataset in self._flow.datasets if dataset.path == path)
        return tables.rows(self.lake(dataset, moment), self._flow, dataset)

    def lake(self, dataset: Dataset, moment: Moment | None) -> Lake:
        """A lake whose version of a dataset is the one of a moment; None is the live lake.

        Warns with `MadeByOtherCode` if it had to be rebuilt, and an object differs. Errors are
        those of `version_at`, and SnapshotExpired if it cannot be rebuilt any more.
        """
        if moment is None:
            return self._live
        version = version_at(self._live, dataset, moment)
        if version.named == self._live.version(dataset).named:
            return PinnedLake(self._live, dataset, version)
        known = self.snapshot(dataset, version)
        if dataset == self._flow.bronze:
            own = version.model_copy(update={"objects": (known.object,), "copies": ()})
            return PinnedLake(self._live, dataset, own)
        rebuilt = self.rebuilt(known)
        again = rebuilt.version(dataset)
        _compare(self._flow, dataset, version, again)
        own = version.model_copy(update={"objects": again.objects, "copies": again.copies})
        return PinnedLake(rebuilt, dataset, own)

    def rebuilt(self, *snapshots: Snapshot) -> Lake:
        """A lake in a local folder, in which some snapshots were published one after the other."""
        if snapshots in self._rebuilt:
            return self._rebuilt[snapshots]
        flow, live = self._flow, self._live
        unlimited = {"history_versions": 0, "history_days": 0}
        settings = Settings(LakeSettings.load(), flow.load_settings().model_copy(update=unlimited))
        folder, scratch = self.enter_context(workspace()), self.enter_context(workspace())
        lake = Lake(store := FolderStore(folder))
        # Not the engine of the settings, because no other machine has the folder.
        context = FlowContext(lake, Machine(settings.lake, lake, scratch), flow)
        for one in snapshots:
            key = flow.bronze.earlier(one.snapshot)
            store.add("bronze", key, live.chunks("bronze", one.object))
        for one in snapshots:
            run = new_run()
            for stage in (BRONZE, SILVER, GOLD):
                with stage.step(context, run, settings, store) as step:
                    stage.work(replace(step, variables={"snapshot": one.snapshot}))
        self._rebuilt[snapshots] = lake
        return lake

    def snapshot(self, dataset: Dataset, version: Manifest) -> Snapshot:
        """The snapshot that a version was made from, by the newest version of bronze."""
        kept = snapshots_of(self._live.version(self._flow.bronze))
        found = [one for one in kept if one.snapshot == version.snapshot]
        if not found:
            oldest = next((one.snapshot for one in kept), "")
            raise SnapshotExpired(dataset.path, version.version, version.snapshot, oldest)
        return found[-1]


class PinnedLake(Lake):
    """A lake in which the version of one dataset is a given one."""

    def __init__(self, lake: Lake, dataset: Dataset, version: Manifest) -> None:
        super().__init__(lake.store)
        self._pinned = dataset, version

    def version(self, dataset: Dataset) -> Manifest:  # noqa: D102 - as Lake says
        pinned, version = self._pinned
        return version if dataset == pinned else super().version(dataset)


def changes(lake: Lake, flow: Flow, start: Moment | None, end: Moment | None) -> dict[str, Any]:
    """As `read.changes`, for a flow in a lake."""
    newest = lake.version(flow.silver)
    after = newest if end is None else version_at(lake, flow.silver, end)
    if start is None:
        if after.version == newest.version:
            return _stored(lake, flow, newest)
        entries = lake.log(flow.silver).entries()
        until = [one for number, one in entries if one and number <= after.version][::-1]
        after = next((one for one in until if one.changes != Changes()), after)
        before = next((one for one in until if one.version < after.version), None)
    else:
        before = version_at(lake, flow.silver, start)
    head = {"run": after.run, "snapshot": after.snapshot, "before": before and before.snapshot}
    first = after.changes if before is None else None
    unchanged = {**head, "counts": (first or Changes()).model_dump()}
    if before is None or before.snapshot == after.snapshot:
        return unchanged
    with Past(lake, flow) as past:
        again = past.rebuilt(*(past.snapshot(flow.silver, one) for one in (before, after)))
        both = [one for _, one in again.log(flow.silver).entries() if one]
        for published, rebuilt in zip((before, after), both, strict=True):
            _compare(flow, flow.silver, published, rebuilt)
        if both[-1].changes == Changes():  # it kept the report of the version before
            return unchanged
        return {**_stored(again, flow, both[-1]), **head}


def _stored(lake: Lake, flow: Flow, version: Manifest) -> dict[str, Any]:
    """The change report that a version of silver names."""
    if copy := version.copy_at(flow.changes):
        return dict(json.loads(lake.read("silver", copy.object)))
    return {"run": version.run, "snapshot": version.snapshot, "before": None}


def _compare(flow: Flow, dataset: Dataset, published: Manifest, rebuilt: Manifest) -> None:
    """Compare a rebuilt version with the published one, object by object, and warn."""
    was, now = (
        {content_of(entry) for entry in one.objects}
        | {content_of(copy.object) for copy in one.copies if copy.key == flow.rejected}
        for one in (published, rebuilt)
    )
    if was == now:
        return
    own = {"code_version": code_version(flow.package), "libraries": LIBRARIES}
    ours = published.model_copy(update=own)
    warnings.warn(
        f"Version {published.version} of {dataset.path} was rebuilt from its snapshot, and "
        f"{len(was - now) or len(now - was):,} of its {len(was):,} objects differ from those that "
        f"were published: {published.made_by} made them, and {ours.made_by} these.",
        MadeByOtherCode,
        stacklevel=3,
    )
