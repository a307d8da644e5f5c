"""How often the pipeline is to run, as the trigger file says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import yaml
from cron_converter import Cron

from data.breweries.settings import PROJECT

TRIGGERS = PROJECT / "pipelines" / "breweries" / "triggers.yaml"
CRON = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
TURNS = 60  # that are looked at: more than a month has days


def interval(file: Path = TRIGGERS) -> float:
    """Seconds between two runs at most; 0 where no active trigger has a schedule."""
    try:
        triggers = yaml.safe_load(file.read_text(encoding="utf-8"))["triggers"]
        schedules = [
            str(trigger["schedule_interval"])
            for trigger in triggers
            if trigger["schedule_type"] == "time" and trigger["status"] == "active"
        ]
    except (OSError, yaml.YAMLError, LookupError, TypeError):
        return 0.0
    return min(_gaps(schedules), default=0.0)


def _gaps(schedules: list[str]) -> Iterator[float]:
    for schedule in schedules:
        with suppress(ValueError):  # @once and @always_on are no turns
            yield longest_gap(schedule)


def longest_gap(schedule: str) -> float:
    """Seconds between two turns of a cron expression at most.

    Raises:
        ValueError: it is none.
    """
    turns = Cron(CRON.get(schedule, schedule)).schedule(datetime.now(timezone.utc))
    coming = [turns.next() for _ in range(TURNS)]
    return float(max((b - a).total_seconds() for a, b in pairwise(coming)))
