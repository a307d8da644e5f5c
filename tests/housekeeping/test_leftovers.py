"""Mage's own leftovers, in a database of Mage's own tables and in folders such as it makes."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import Mock

import pytest
from mage_ai.orchestration.db.models.base import Base
from mage_ai.orchestration.db.models.oauth import Oauth2AccessToken
from mage_ai.orchestration.db.models.schedules import BlockRun, PipelineRun, PipelineSchedule
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session

from data.housekeeping import BATCH, KINDS, Removed, remove_older, retention_days
from data.medallion.errors import SettingError
from data.medallion.host.envfile import read_envfile
from sandbox import ROOT

OLD, NEW = 40, 10  # days
DAILY, ENDED = 1, 2  # triggers: one that is active, and one that is not any more
BLOCKS = ("extract_breweries_data", "transform_breweries", "aggregated_columns", "data_viz")
METRICS = {"previous_runtimes": [5.0] * 7}


class Mage:
    """Mage's database and its folder, as its runs leave them, without Mage."""

    def __init__(self, engine, folder):
        self.engine, self.folder = engine, folder
        self.now = datetime.now(timezone.utc)
        with Session(engine) as session:
            for number, status in ((DAILY, "ACTIVE"), (ENDED, "INACTIVE")):
                session.add(PipelineSchedule(id=number, pipeline_uuid="breweries", status=status))
            session.commit()

    def run(self, days, status="COMPLETED", ended_days=None, trigger=DAILY, folders=True):
        """A run that was due, and ended, so many days ago: its number and its folders."""
        due = self.now - timedelta(days=days)
        ended = due if ended_days is None else self.now - timedelta(days=ended_days)
        with Session(self.engine) as session:
            run = PipelineRun(pipeline_schedule_id=trigger, pipeline_uuid="breweries")
            run.execution_date = run.created_at = due
            run.completed_at = None if status in ("INITIAL", "RUNNING") else ended
            run.status, run.metrics = status, METRICS
            session.add(run)
            session.flush()
            for block in BLOCKS:
                session.add(BlockRun(pipeline_run_id=run.id, block_uuid=block, metrics=METRICS))
            number, partition = run.id, run.execution_partition
            session.commit()
        made = [self.folder / "pipelines/breweries" / kind / partition for kind in KINDS]
        for folder in made if folders else ():
            folder.mkdir(parents=True)
            for block in BLOCKS:
                (folder / f"{block}.log").write_text("x" * 1500)
        return number, made

    def runs(self, of=PipelineRun.id):
        with Session(self.engine) as session:
            return set(session.scalars(select(of)))

    def size(self):
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def remove(self, days=30):
        return remove_older(days, self.engine, self.folder)


@pytest.fixture
def mage(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/mage-ai.db")
    Base.metadata.create_all(engine)
    yield Mage(engine, tmp_path)
    engine.dispose()


STAY_AND_GO: dict[str, tuple[list[Any], list[Any]]] = {
    "what is old goes, and what is recent stays": (
        [{"days": NEW}, {"days": NEW - 1}],
        [{"days": OLD}, {"days": OLD + 1}, {"days": OLD + 2}],
    ),
    "one under way is never touched, however old": (
        [{"days": 400, "status": "INITIAL"}, {"days": 401, "status": "RUNNING"}, {"days": NEW}],
        [{"days": OLD}],
    ),
    "those that did not complete go too": (
        [{"days": NEW}],
        [{"days": OLD, "status": "FAILED"}, {"days": OLD + 1, "status": "CANCELLED"}],
    ),
    # As a backfill's, or one that was started anew.
    "an old turn that was run lately is recent": (
        [{"days": 400, "ended_days": 1}, {"days": NEW}],
        [],
    ),
    # By it Mage sees that the turn of a trigger @monthly or @once was taken.
    "the newest of an active trigger stays, or Mage would run it again": (
        [{"days": OLD}],
        [{"days": OLD, "trigger": ENDED}],
    ),
}


@pytest.mark.parametrize("rule", STAY_AND_GO)
def test_old_runs_and_their_folders_go_but_those_that_mage_needs(mage, rule):
    staying, going = ([mage.run(**run) for run in runs] for runs in STAY_AND_GO[rule])
    expected = Removed(runs=len(going), folders=len(KINDS) * len(going))
    assert mage.remove() == expected
    assert mage.runs() == mage.runs(BlockRun.pipeline_run_id) == {number for number, _ in staying}
    assert all(folder.exists() for _, folders in staying for folder in folders)
    assert not any(folder.exists() for _, folders in going for folder in folders)
    assert mage.remove() == Removed()


def test_an_interrupted_removal_is_ended_by_the_next(mage, monkeypatch):
    mage.run(days=OLD)
    mage.run(days=NEW)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("data.housekeeping._remove_folders", Mock(side_effect=KeyboardInterrupt))
        mage.remove()
    assert len(mage.runs()) == 1
    assert mage.remove() == Removed(runs=0, folders=2)


def test_folders_that_are_no_run_s_are_left_alone(mage):
    block = mage.folder / "pipelines/breweries/.variables/extract_breweries_data/output_0"
    block.mkdir(parents=True)
    other = mage.folder / "pipelines/breweries/keep/1/20200101T000000"
    other.mkdir(parents=True)
    assert mage.remove() == Removed()
    assert block.exists() and other.exists()


def test_a_database_that_no_scheduler_has_filled_is_nothing_to_do(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/empty.db")
    assert remove_older(30, engine, tmp_path) == Removed()
    engine.dispose()


def test_sessions_that_ended_are_removed(mage):
    now = datetime.now(timezone.utc)
    with Session(mage.engine) as session:
        for name, days in (("old", -OLD), ("ended", -1), ("open", 20)):
            session.add(Oauth2AccessToken(token=name, expires=now + timedelta(days=days)))
        session.commit()
    assert mage.remove() == Removed(sessions=1)
    with Session(mage.engine) as session:
        assert set(session.scalars(select(Oauth2AccessToken.token))) == {"ended", "open"}


def test_a_volume_stops_growing(mage):
    """Half a year of runs, a month of them kept: it has one size from the second month on."""
    sizes = []
    for month in range(6, 0, -1):
        for day in range(30):
            mage.run(days=30 * month - day)
        mage.remove(30 * (month - 1) + 30)
        sizes.append(mage.size())
    assert sizes[2] > 300_000
    assert max(sizes[2:]) <= 1.05 * sizes[2]


def test_mage_comes_to_its_database_between_two_batches(mage):
    """Its scheduler dies of a database that is locked for long (mage-ai/mage-ai#4756)."""
    for day in range(5 * BATCH):
        mage.run(days=OLD + day, folders=False)
    mage.run(days=NEW)
    commits = []
    event.listen(mage.engine, "commit", commits.append)
    ended = threading.Event()

    def write():
        with sqlite3.connect(mage.engine.url.database) as connection:
            while not ended.wait(0.001):
                connection.execute("UPDATE pipeline_schedule SET description = 'x'")
                connection.commit()
        return True

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert mage.remove().runs == 5 * BATCH
        ended.set()
        assert writing.result()
    assert len(commits) >= 5


def test_how_long_runs_are_kept_is_a_setting(monkeypatch):
    monkeypatch.delenv("MAGE_RETENTION_DAYS", raising=False)
    assert str(retention_days()) == read_envfile(ROOT / ".env.example")["MAGE_RETENTION_DAYS"]
    monkeypatch.setenv("MAGE_RETENTION_DAYS", "0")
    assert retention_days() == 0
    for wrong in ("-1", "x", "1.5", "9" * 400):
        monkeypatch.setenv("MAGE_RETENTION_DAYS", wrong)
        with pytest.raises(SettingError, match="MAGE_RETENTION_DAYS is no number of days"):
            retention_days()
