"""A clone as Git for Windows makes it, which turns line ends to CRLF unless told otherwise."""

import os

import pytest

from tests.compose.stack import Stack, copy


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Stack:
    """Of the files as they are now, committed or not."""
    folder = tmp_path_factory.mktemp("clone")
    origin = copy(folder / "origin", ())
    origin.run("git", "init", "--quiet")
    origin.run("git", "add", "--all")
    someone = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    origin.run("git", *someone, "commit", "--quiet", "--no-verify", "--message", "All")
    origin.run("git", "clone", "--quiet", "--config", "core.autocrlf=true", ".", "../clone")
    return Stack(folder / "clone", ())


def test_it_has_no_line_ends_of_windows(clone):
    folder = clone.folder
    scripts = [*folder.rglob("*.sh"), folder / "Makefile", folder / ".env.example"]
    assert len(scripts) > 3
    assert [file.name for file in scripts if b"\r" in file.read_bytes()] == []
    assert "w/crlf" not in clone.run("git", "ls-files", "--eol").stdout


def test_a_picture_is_as_it_was(clone):
    for picture in clone.folder.glob("image/*.png"):
        was = clone.folder.parent / "origin/image" / picture.name
        assert picture.read_bytes() == was.read_bytes()


def test_its_scripts_run_and_write_a_whole_env_for_the_owner_of_the_project(clone):
    data = clone.folder / "data"
    if os.geteuid() == 0:  # only root can give it away; then its owner is not who calls
        os.chown(data, 4242, 4343)
    clone.run("sh", "compose/env.sh")
    written, owner = clone.settings, data.stat()
    assert written["JWT_SECRET"]
    assert (written["MAGE_UID"], written["MAGE_GID"]) == (str(owner.st_uid), str(owner.st_gid))
