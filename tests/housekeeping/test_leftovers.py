"""Mage's own leftovers, in a database of Mage's own tables and in folders such as it makes."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from mage_ai.orchestration.db.models.base import Base
from mage_ai.orchestration.db.models.oauth import Oauth2AccessToken
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session

from data.housekeeping import BATCH, KINDS, Removed, remove_older, retention_days
from data.medallion.errors import SettingError
from data.medallion.host.envfile import read_envfile
from sandbox import ROOT
from tests.housekeeping.mage import DAILY, Mage

OLD, NEW = 40, 10  # days


@pytest.fixture
def mage(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/mage-ai.db")
    Base.metadata.create_all(engine)
    mage = Mage(engine, tmp_path)
    mage.trigger(DAILY)
    yield mage
    engine.dispose()


def remove(mage, days=30):
    return remove_older(days, mage.engine, mage.folder)


def test_what_is_old_goes_and_what_is_recent_stays_whole(mage):
    old, new = (
        [mage.run(days=OLD + n) for n in range(5)],
        [mage.run(days=NEW - n) for n in range(3)],
    )
    assert remove(mage) == Removed(runs=5, folders=10)
    assert mage.runs() == {run.id for run in new}
    assert mage.block_runs() == {run.id for run in new}
    assert not any(mage.folders(run) for run in old)
    assert all(len(mage.folders(run)) == len(KINDS) for run in new)
    assert remove(mage) == Removed()


@pytest.mark.parametrize("status", ["INITIAL", "RUNNING"])
def test_a_run_under_way_is_never_touched_however_old(mage, status):
    under_way = mage.run(days=400, status=status)
    mage.run(days=OLD)
    mage.run(days=NEW)
    assert remove(mage).runs == 1
    assert under_way.id in mage.runs() and len(mage.folders(under_way)) == len(KINDS)


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_runs_that_did_not_complete_are_removed_too(mage, status):
    mage.run(days=OLD, status=status)
    mage.run(days=NEW)
    assert remove(mage).runs == 1


def test_an_old_turn_that_was_run_lately_is_recent(mage):
    """As a backfill's, or one that was started anew."""
    late = mage.run(days=400, ended_days=1)
    mage.run(days=NEW)
    assert remove(mage) == Removed()
    assert len(mage.folders(late)) == len(KINDS)


def test_the_newest_run_of_an_active_trigger_stays_or_mage_would_run_it_again(mage):
    """By it Mage sees that the turn of a trigger @monthly or @once was taken."""
    last = mage.run(days=OLD)
    assert remove(mage) == Removed()
    mage.trigger(2, status="INACTIVE")
    gone = mage.run(days=OLD, trigger=2)
    assert remove(mage) == Removed(runs=1, folders=2)
    assert last.id in mage.runs() and gone.id not in mage.runs()


def test_an_interrupted_removal_is_ended_by_the_next(mage, monkeypatch):
    mage.run(days=OLD)
    mage.run(days=NEW)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("data.housekeeping._remove_folders", lambda *_: mage.interrupt())
        remove(mage)
    assert len(mage.runs()) == 1
    assert remove(mage) == Removed(runs=0, folders=2)


def test_folders_that_are_no_run_s_are_left_alone(mage):
    block = mage.folder / "pipelines/breweries/.variables/extract_breweries_data/output_0"
    block.mkdir(parents=True)
    other = mage.folder / "pipelines/breweries/keep/1/20200101T000000"
    other.mkdir(parents=True)
    assert remove(mage) == Removed()
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
    assert remove(mage) == Removed(sessions=1)
    with Session(mage.engine) as session:
        assert set(session.scalars(select(Oauth2AccessToken.token))) == {"ended", "open"}


def test_a_volume_stops_growing(mage):
    """Half a year of runs, a month of them kept: it has one size from the second month on."""
    sizes = []
    for month in range(6, 0, -1):
        for day in range(30):
            mage.run(days=30 * month - day)
        remove_older(30 * (month - 1) + 30, mage.engine, mage.folder)
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
        assert remove(mage).runs == 5 * BATCH
        ended.set()
        assert writing.result()
    assert len(commits) >= 5


def test_how_long_is_a_setting(monkeypatch):
    monkeypatch.delenv("MAGE_RETENTION_DAYS", raising=False)
    assert str(retention_days()) == read_envfile(ROOT / ".env.example")["MAGE_RETENTION_DAYS"]
    monkeypatch.setenv("MAGE_RETENTION_DAYS", "0")
    assert retention_days() == 0
    for wrong in ("-1", "x", "1.5", "9" * 400):
        monkeypatch.setenv("MAGE_RETENTION_DAYS", wrong)
        with pytest.raises(SettingError, match="MAGE_RETENTION_DAYS is no number of days"):
            retention_days()
