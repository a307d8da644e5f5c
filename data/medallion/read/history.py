"""The versions that a lake can give: those whose answers bronze keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import partial
from hashlib import blake2b

import orjson

from ..flow import Flow
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
    added: int
    """Records against the version before, by their key; 0 for the oldest."""
    removed: int
    changed: int


def answers(lake: Lake, flow: Flow) -> dict[str, Stat]:
    """The answers that bronze keeps, by their snapshots, the oldest first."""
    # A replayed answer stands in both places; in the history it is as it was first published.
    keys = [str(flow.bronze.object), *lake.store.listed("bronze", flow.bronze.history)]
    stats = lake.store.each(partial(lake.stat, "bronze"), keys)
    found = {stat.snapshot: stat for stat in stats if stat and stat.snapshot}
    return dict(sorted(found.items()))


def versions(lake: Lake, flow: Flow) -> Iterator[Kept]:
    """Each version that can be asked for, the oldest first, and what changed."""
    before: dict[bytes, bytes] | None = None
    for snapshot, stat in answers(lake, flow).items():
        now = _hashes(lake, flow, stat)
        was = now if before is None else before
        both = was.keys() & now.keys()
        added, removed = len(now) - len(both), len(was) - len(both)
        changed = sum(was[key] != now[key] for key in both)
        yield Kept(snapshot, time_of(snapshot), stat.rows, added, removed, changed)
        before = now


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
    limit = _limit(str(moment))
    if published and published.run < limit:
        return published.snapshot
    until = [stat for stat in kept if stat.snapshot < limit]
    if not until:
        raise NoVersionThen(str(moment), kept[0].snapshot if kept else "")
    later = kept[len(until) :][:1]
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
