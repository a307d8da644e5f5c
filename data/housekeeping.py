"""Remove Mage's own records of old runs; Mage itself keeps them for ever.

Mage has two commands that remove files by their names alone, even the files of a run under way. It
has none that removes rows of its database.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from mage_ai.orchestration.db.models.oauth import Oauth2AccessToken
from mage_ai.orchestration.db.models.schedules import (
    BlockRun,
    PipelineRun,
    PipelineSchedule,
    ScheduleStatus,
)
from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import ColumnElement, Engine, delete, exists, func, inspect, or_, select
from sqlalchemy.orm import Session, aliased

from .medallion.errors import SettingError
from .medallion.host.envfile import environment

DAYS = 30
"""How long Mage's runs are kept, unless MAGE_RETENTION_DAYS is set."""

BATCH = 100  # runs a transaction, so that Mage's scheduler never waits long for its database
ENDED = tuple(PipelineRun.PipelineRunStatus[name] for name in ("COMPLETED", "FAILED", "CANCELLED"))
KINDS = (".logs", ".variables")  # folders of a pipeline, with one a run under one a trigger


@dataclass(frozen=True)
class Removed:
    """The counts of what was removed."""

    runs: int = 0
    folders: int = 0
    sessions: int = 0

    def __str__(self) -> str:
        return (
            f"Removed {self.runs:,} runs, {self.folders:,} folders of logs and variables, "
            f"{self.sessions:,} sessions that had ended."
        )


class _Retention(BaseModel):
    days: int = Field(DAYS, ge=0, le=36_500, validation_alias="MAGE_RETENTION_DAYS")


def retention_days() -> int:
    """The days that Mage's runs are kept; 0 means for ever.

    Raises:
        SettingError: the setting is no such number.
    """
    try:
        return _Retention.model_validate(environment()).days
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]["msg"]
        raise SettingError("MAGE_RETENTION_DAYS", f"is no number of days ({problem})") from None


def remove_older(days: float, engine: Engine, folder: Path) -> Removed:
    """Remove Mage's records of runs that ended so many days ago.

    A run that has not ended is retained. So is the newest run of each active trigger: by it Mage
    sees when the trigger last fired. If this is interrupted, the next call removes the rest.

    Args:
        days: how old a run may get.
        engine: of Mage's database.
        folder: where Mage keeps logs and variables.
    """
    if not inspect(engine).has_table(PipelineRun.__tablename__):  # no scheduler ever ran
        return Removed()
    limit = datetime.now(timezone.utc) - timedelta(days=days)
    with Session(engine) as session:
        runs = _remove_runs(session, limit)
        ended = delete(Oauth2AccessToken).where(Oauth2AccessToken.expires < limit)
        sessions = session.connection().execute(ended).rowcount
        session.commit()
        left: Iterable[Any] = session.scalars(select(PipelineRun).execution_options(yield_per=1000))
        kept = {run.execution_partition for run in left}
    return Removed(runs, _remove_folders(folder, kept, limit), sessions)


def _remove_runs(session: Session, limit: datetime) -> int:
    removed = 0
    old = select(PipelineRun.id).where(*_is_old(limit)).limit(BATCH).with_for_update()
    numbers: Sequence[int]
    while numbers := session.scalars(old).all():
        # A run may have been started again since it was found.
        still = PipelineRun.id.in_(numbers) & PipelineRun.status.in_(ENDED)
        blocks = BlockRun.pipeline_run_id.in_(select(PipelineRun.id).where(still))
        session.connection().execute(delete(BlockRun).where(blocks))
        removed += session.connection().execute(delete(PipelineRun).where(still)).rowcount
        session.commit()
    return removed


def _is_old(limit: datetime) -> tuple[ColumnElement[bool], ...]:
    trigger, later = PipelineRun.pipeline_schedule_id, aliased(PipelineRun)
    active = select(PipelineSchedule.id).where(PipelineSchedule.status == ScheduleStatus.ACTIVE)
    followed = exists().where(
        later.pipeline_schedule_id == trigger, later.execution_date > PipelineRun.execution_date
    )
    return (
        PipelineRun.status.in_(ENDED),
        func.coalesce(PipelineRun.completed_at, PipelineRun.created_at) < limit,
        or_(followed, trigger.is_(None), trigger.not_in(active)),
    )


def _remove_folders(folder: Path, kept: set[str], limit: datetime) -> int:
    """Remove those of no run; Mage names them by trigger and time."""
    removed = 0
    newest = limit.strftime("%Y%m%dT%H%M%S")
    for kind in KINDS:
        for found in folder.glob(f"pipelines/*/{kind}/*/*"):
            trigger, time = found.parent.name, found.name
            if trigger.isdigit() and time < newest and f"{trigger}/{time}" not in kept:
                shutil.rmtree(found, ignore_errors=True)
                removed += not found.exists()
    return removed
