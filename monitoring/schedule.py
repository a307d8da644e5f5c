"""The schedule of a flow, from the trigger file of its pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import yaml
from cron_converter import Cron

from data.medallion.host.envfile import PROJECT

CRON = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
TURNS = 60  # how many turns to compare: more than the days of a month


def triggers(flow: str) -> Path:
    """The trigger file of a flow's pipeline, which has the flow's name."""
    return PROJECT / "pipelines" / flow / "triggers.yaml"


def interval(file: Path) -> float:
    """The most seconds between two runs; 0 if no active trigger has a schedule."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return 0.0
    return _interval(text, datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0))


@lru_cache  # there are many requests, and this is the slowest part of a response
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
        with suppress(ValueError):  # @once and @always_on have no turns
            yield longest_gap(schedule, since)


def longest_gap(schedule: str, since: datetime) -> float:
    """The most seconds between two turns of a cron expression.

    Raises:
        ValueError: the expression is malformed, or has no turns.
    """
    try:
        turns = Cron(CRON.get(schedule, schedule)).schedule(since)
        coming = [turns.next() for _ in range(TURNS)]
    except Exception as error:  # the error for a 31 February has no class of its own
        raise ValueError(f"{schedule}: {error}") from None
    return float(max((b - a).total_seconds() for a, b in pairwise(coming)))
