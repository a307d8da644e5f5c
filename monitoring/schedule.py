"""How often a flow is to run, as the trigger file of its pipeline says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import yaml
from cron_converter import Cron

from data.medallion.settings import PROJECT

CRON = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
TURNS = 60  # that are looked at: more than a month has days


def triggers(flow: str) -> Path:
    """The trigger file of a flow's pipeline, which has the flow's name."""
    return PROJECT / "pipelines" / flow / "triggers.yaml"


def interval(file: Path) -> float:
    """Seconds between two runs at most; 0 where no active trigger has a schedule."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return 0.0
    return _interval(text, datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0))


@lru_cache  # many clients ask, and this is the slowest part of the response
def _interval(text: str, since: datetime) -> float:
    try:
        schedules = [
            str(trigger["schedule_interval"])
            for trigger in yaml.safe_load(text)["triggers"]
            if trigger["schedule_type"] == "time" and trigger["status"] == "active"
        ]
    except (yaml.YAMLError, LookupError, TypeError, RecursionError):
        return 0.0
    return min(_gaps(schedules, since), default=0.0)


def _gaps(schedules: list[str], since: datetime) -> Iterator[float]:
    for schedule in schedules:
        with suppress(ValueError):  # @once and @always_on are no turns
            yield longest_gap(schedule, since)


def longest_gap(schedule: str, since: datetime) -> float:
    """Seconds between two turns of a cron expression at most.

    Raises:
        ValueError: it is none, or never has a turn.
    """
    try:
        turns = Cron(CRON.get(schedule, schedule)).schedule(since)
        coming = [turns.next() for _ in range(TURNS)]
    except Exception as error:  # that of a 31 February has no class of its own
        raise ValueError(f"{schedule}: {error}") from None
    return float(max((b - a).total_seconds() for a, b in pairwise(coming)))
