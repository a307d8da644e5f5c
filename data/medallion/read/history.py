"""The versions that a lake can give: those whose answers bronze keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import partial
from hashlib import blake2b

import orjson

from ..flow import Flow
from ..lake.datasets import Dataset
from ..lake.manifest import Manifest
from ..lake.records import record_texts
from ..lake.runs import RUN, began, time_of
from ..lake.versions import Lake, Stat
from .errors import HistoryThinned, NoVersionThen, TimeUnclear

Moment = str | date
"""A day (its end, in UTC), a time with its zone, or a run."""


@dataclass(frozen=True)
class Kept:
    """A version: the run that fetched its answer, its records, and what changed before it."""

    snapshot: str
    began: datetime
    """When that run began; the versions of its day are published some minutes later at most."""
    records: int
    added: int = 0
    """Records against the version before, by their key."""
    removed: int = 0
    changed: int = 0


def answers(lake: Lake, bronze: Dataset) -> dict[str, Stat]:
    """The answers that bronze keeps, by their snapshots, the oldest first."""
    # A replayed answer stands in both places; in the history it is as it was first published.
    keys = [str(bronze.object), *lake.store.listed("bronze", bronze.history)]
    stats = lake.store.each(partial(lake.stat, "bronze"), keys)
    found = {stat.snapshot: stat for stat in stats if stat and stat.snapshot}
    return dict(sorted(found.items()))


def versions(lake: Lake, flow: Flow) -> Iterator[Kept]:
    """Each version that can be asked for, the oldest first, and what changed."""
    before: dict[bytes, bytes] | None = None
    for snapshot, stat in answers(lake, flow.bronze).items():
        now = _hashes(lake, flow, stat)
        then = time_of(snapshot)
        kept = Kept(snapshot, then, stat.rows)
        if before is not None:
            common = before.keys() & now.keys()
            kept = Kept(
                snapshot,
                then,
                stat.rows,
                added=len(now) - len(common),
                removed=len(before) - len(common),
                changed=sum(before[key] != now[key] for key in common),
            )
        before = now
        yield kept


def snapshot_at(kept: Sequence[Stat], moment: Moment, published: Manifest | None = None) -> str:
    """The snapshot of the version that was current at a moment.

    Args:
        kept: the answers that bronze keeps, the oldest first.
        moment: when.
        published: what silver is since the run that confirmed it, be it a replay.

    Raises:
        TimeUnclear: the moment is none of its forms.
        NoVersionThen, HistoryThinned: bronze keeps no answer, or none for sure, of then.
    """
    known = {stat.snapshot for stat in kept}
    if moment in known:
        return str(moment)
    limit = _limit(moment)
    if published and published.run < limit:
        return published.snapshot
    until = [stat for stat in kept if stat.snapshot < limit]
    if not until:
        raise NoVersionThen(str(moment), kept[0].snapshot if kept else "")
    later = kept[len(until) :][:1]
    if later and later[0].replaces and later[0].replaces not in known:
        raise HistoryThinned(str(moment), later[0].replaces, later[0].snapshot)
    return until[-1].snapshot


def _limit(moment: Moment) -> str:
    """A text that the ids of later runs are not less than."""
    if isinstance(moment, str):
        if re.fullmatch(RUN, moment):
            return moment + "~"
        moment = _parsed(moment)
    if not isinstance(moment, datetime):
        return began(datetime.combine(moment + timedelta(days=1), time(), timezone.utc))
    if moment.tzinfo is None:
        raise TimeUnclear(str(moment))
    return began(moment.astimezone(timezone.utc)) + "~"


def _parsed(text: str) -> date:
    # Python 3.10 reads no Z.
    forms = (date.fromisoformat, lambda t: datetime.fromisoformat(re.sub("[zZ]$", "+00:00", t)))
    for form in forms:
        try:
            return form(text)
        except ValueError:
            continue
    raise TimeUnclear(text)


def _hashes(lake: Lake, flow: Flow, stat: Stat) -> dict[bytes, bytes]:
    """Each record's key to a hash of its text; one without a key has its text's hash as key."""
    found = {}
    for text in record_texts(lake.lines("bronze", stat.entry)):
        digest = blake2b(text, digest_size=16).digest()
        record = orjson.loads(text)
        key = flow.table.value(record, flow.table.key) if isinstance(record, dict) else None
        found[digest if key is None else str(key).encode()] = digest
    return found
