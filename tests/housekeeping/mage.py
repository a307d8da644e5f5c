"""Runs as Mage leaves them: rows of its tables, and folders of logs and variables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from mage_ai.orchestration.db.models.schedules import BlockRun, PipelineRun, PipelineSchedule
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from data.housekeeping import KINDS

DAILY = 1  # a trigger
BLOCKS = ("extract_breweries_data", "transform_breweries", "aggregated_columns", "data_viz")
METRICS = {"previous_runtimes": [5.0] * 7}


@dataclass(frozen=True)
class Run:
    """One run of a trigger, and how Mage names its folders."""

    id: int
    partition: str


class Mage:
    """Mage's database and its folder, without Mage.

    Args:
        engine: of the database.
        folder: of logs and variables.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self._now = datetime.now(timezone.utc)

    def trigger(self, number: int, status: str = "ACTIVE") -> None:
        with Session(self.engine) as session:
            session.add(PipelineSchedule(id=number, pipeline_uuid="breweries", status=status))
            session.commit()

    def run(
        self,
        days: float,
        status: str = "COMPLETED",
        ended_days: float | None = None,
        trigger: int = DAILY,
        folders: bool = True,
    ) -> Run:
        """A run that was due, and ended, so many days ago."""
        due = self._now - timedelta(days=days)
        ended = self._now - timedelta(days=days if ended_days is None else ended_days)
        done = status not in ("INITIAL", "RUNNING")
        with Session(self.engine) as session:
            run = PipelineRun(
                pipeline_schedule_id=trigger,
                pipeline_uuid="breweries",
                execution_date=due,
                created_at=due,
                completed_at=ended if done else None,
                status=status,
                metrics=METRICS,
            )
            session.add(run)
            session.flush()
            for block in BLOCKS:
                session.add(BlockRun(pipeline_run_id=run.id, block_uuid=block, metrics=METRICS))
            made = Run(run.id, run.execution_partition)
            session.commit()
        if folders:
            for kind in KINDS:
                folder = self.folder / "pipelines/breweries" / kind / made.partition
                folder.mkdir(parents=True)
                for block in BLOCKS:
                    (folder / f"{block}.log").write_text("x" * 1500)
        return made

    def runs(self) -> set[int]:
        return self._all(select(PipelineRun.id))

    def block_runs(self) -> set[int]:
        """The runs that have some."""
        return self._all(select(BlockRun.pipeline_run_id))

    def _all(self, query: Any) -> set[int]:
        with Session(self.engine) as session:
            return set(session.scalars(query))

    def folders(self, run: Run) -> list[Path]:
        return list(self.folder.glob(f"pipelines/*/*/{run.partition}"))

    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def interrupt(self) -> None:
        raise KeyboardInterrupt
