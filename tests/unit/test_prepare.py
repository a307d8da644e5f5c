"""What the stack's first container finds out about folders and users, without Docker."""

import os
import tempfile
from pathlib import Path

import pytest

from compose import prepare

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")

USER, OTHER, GROUP = 4242, 4343, 4444


@pytest.fixture
def place(monkeypatch):
    """Where ./data and the volumes are, with no folder above that keeps others out."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        for folder in ("data", "minio", "mage"):
            (place / folder).mkdir(mode=0o755)
        monkeypatch.setattr(prepare, "PROJECT", place / "data")
        monkeypatch.setattr(prepare, "VOLUMES", place)
        yield place


def told(user, group=None):
    settings = {"MAGE_UID": str(user), "MAGE_GID": str(user if group is None else group)}
    return list(prepare.unusable_folders(settings))


@pytest.mark.parametrize(
    ("owner", "group", "mode", "can"),
    [
        (USER, USER, 0o755, True),
        (OTHER, USER, 0o775, True),
        (0, 0, 0o777, True),  # Docker Desktop shows all as root's, and lets everybody write
        (OTHER, USER, 0o755, False),
        (OTHER, GROUP, 0o775, False),  # a group of who asks, but not of the user
        (USER, USER, 0o655, False),
    ],
)
def test_whether_a_user_can_write_is_tried_and_leaves_no_trace(place, owner, group, mode, can):
    data = place / "data"
    os.chown(data, owner, group)
    data.chmod(mode)
    before = os.getgroups()
    os.setgroups([GROUP])
    try:
        assert prepare.refused(data, USER, USER) == ("" if can else "Permission denied")
    finally:
        os.setgroups(before)
    assert prepare.refused(place / "gone", USER, USER) == "No such file or directory"
    assert list(data.iterdir()) == []
    assert (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", [0o755, 0o555])
@pytest.mark.parametrize("owner", [0, USER, OTHER])
def test_nobody_is_told_to_be_root_or_to_be_who_cannot_write_either(place, owner, mode):
    os.chown(place / "data", owner, owner)
    (place / "data").chmod(mode)
    for sentence in told(USER, GROUP):
        assert sentence.startswith("./data cannot be written by user 4242, as which Mage runs (Per")
        if owner == OTHER and mode == 0o755:
            assert sentence.endswith(": put MAGE_UID=4343 and MAGE_GID=4343 in .env.")
        else:
            assert "MAGE_UID" not in sentence
            assert "sudo chown -R 4242:4444 data" in sentence
    assert bool(told(USER, GROUP)) == ((owner, mode) != (USER, 0o755))
    assert told(0) == []


def test_the_volumes_are_handed_over(place):
    (place / "mage" / "kept").mkdir()
    (place / "mage" / "kept" / "link").symlink_to(place / "data")
    assert list(prepare.hand_over({"MAGE_UID": str(USER), "MAGE_GID": str(GROUP)})) == []
    for path in (place / "mage", place / "mage/kept", place / "mage/kept/link"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (USER, GROUP)
    assert (place / "minio").stat().st_uid == prepare.MINIO_USER
    assert (place / "data").stat().st_uid == 0


@pytest.mark.parametrize(("days", "status"), [("30", 0), ("never", 1)])
def test_nothing_is_handed_over_before_all_is_right(place, monkeypatch, capsys, days, status):
    long = dict.fromkeys(prepare.SHORTEST, "a-long-secret-of-nobody")
    user = {"MAGE_UID": str(USER), "MAGE_GID": str(USER), "MAGE_RETENTION_DAYS": days}
    for name, value in {**long, **user}.items():
        monkeypatch.setenv(name, value)
    os.chown(place / "data", USER, USER)
    assert prepare.main() == status
    assert len(capsys.readouterr().err.splitlines()) == status
    assert (place / "mage").stat().st_uid == (0 if status else USER)


def test_a_user_by_name_is_refused():
    (sentence,) = prepare.unusable_folders({"MAGE_UID": "me", "MAGE_GID": "1000"})
    assert sentence == "MAGE_UID is no number: put what id -u and id -g print into .env."
