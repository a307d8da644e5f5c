"""A run's id: when it began, and a short part that is half random; sortable as text."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone

RUN = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
"""The pattern of an id."""


def new_run() -> str:
    """The id of a run that begins now.

    Its last part begins with the fraction of the second, so that of two runs of one second, the
    later one has the greater id.
    """
    time = datetime.now(timezone.utc)
    return f"{began(time)}-{time.microsecond * 4096 // 1_000_000:03x}{secrets.randbelow(4096):03x}"


def began(time: datetime) -> str:
    """The first part of the id of a run that begins then; ids of earlier runs are less than it."""
    return f"{time:%Y%m%dT%H%M%SZ}"


def time_of(run: str) -> datetime:
    """When a run began, to the second, in UTC, by its id: the inverse of `began`.

    Raises:
        ValueError: the id tells no time.
    """
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def day_of(run: str) -> str:
    """The day in UTC on which a run began: the first part of its id."""
    return run.partition("T")[0]
