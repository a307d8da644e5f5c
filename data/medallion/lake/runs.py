"""A run's id: when it began and a random part, sortable as text."""

from __future__ import annotations

import secrets
from datetime import datetime

from .manifest import now

RUN = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
"""The pattern of an id."""


def new_run() -> str:
    """The id of a run that begins now."""
    return f"{began(now())}-{secrets.token_hex(3)}"


def began(time: datetime) -> str:
    """How the ids of runs begin that began then; those of earlier ones are less than it."""
    return f"{time:%Y%m%dT%H%M%SZ}"


def day_of(run: str) -> str:
    """The day in UTC on which a run began: the first part of its id."""
    return run.partition("T")[0]
