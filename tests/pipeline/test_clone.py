"""A clone as Git for Windows makes it, which turns line ends to CRLF unless told otherwise."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from data.medallion.host.envfile import read_envfile
from tests.compose.stack import copy


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the files as they are now, committed or not."""
    folder = tmp_path_factory.mktemp("clone")
    origin = folder / "origin"
    copy(origin, ())
    run(origin, "git", "init", "--quiet")
    run(origin, "git", "add", "--all")
    someone = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    run(origin, "git", *someone, "commit", "--quiet", "--no-verify", "--message", "All")
    run(folder, "git", "clone", "--quiet", "--config", "core.autocrlf=true", "origin", "clone")
    return folder / "clone"


def test_it_has_no_line_ends_of_windows(clone):
    scripts = [*clone.rglob("*.sh"), clone / "Makefile", clone / ".env.example"]
    assert len(scripts) > 3
    assert [file.name for file in scripts if b"\r" in file.read_bytes()] == []
    assert "w/crlf" not in run(clone, "git", "ls-files", "--eol")


def test_a_picture_is_as_it_was(clone):
    for picture in clone.glob("image/*.png"):
        assert picture.read_bytes() == (clone.parent / "origin/image" / picture.name).read_bytes()


def test_its_scripts_run_and_write_a_whole_env(clone):
    run(clone, "sh", "compose/env.sh")
    written = read_envfile(clone / ".env")
    assert written["JWT_SECRET"]
    owner = (clone / "data").stat()
    assert (written["MAGE_UID"], written["MAGE_GID"]) == (str(owner.st_uid), str(owner.st_gid))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_mage_is_to_be_the_owner_of_the_project_and_not_who_calls(clone):
    (clone / ".env").unlink(missing_ok=True)
    os.chown(clone / "data", 4242, 4343)
    run(clone, "sh", "compose/env.sh")
    written = read_envfile(clone / ".env")
    assert (written["MAGE_UID"], written["MAGE_GID"]) == ("4242", "4343")
