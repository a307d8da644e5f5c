"""Times, and run ids: the time when a run began and a half random part. They sort as text."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone

RUN = r"\d{8}T\d{6}Z-[0-9a-f]{6}"  # the pattern of an id


def now() -> datetime:
    """The current time in UTC, to the second."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def new_run() -> str:
    """The id of a run that begins now; it sorts by time, also within a second."""
    time = datetime.now(timezone.utc)
    return f"{began(time)}-{time.microsecond * 4096 // 1_000_000:03x}{secrets.randbelow(4096):03x}"


def began(time: datetime) -> str:
    """The first part of the id of a run that begins at `time`; ids of earlier runs are less."""
    return f"{time:%Y%m%dT%H%M%SZ}"


def time_of(run: str) -> datetime:
    """When a run began, to the second, in UTC; ValueError if its id has no time."""
    return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
