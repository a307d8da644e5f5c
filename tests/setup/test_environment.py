"""setup/environment.sh, by way of make, on lock files of three small packages."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests import programs
from tests.answers import Answer, serving
from tests.compose.stack import copy
from tests.docs.pages import ROOT
from tests.waiting import wait_for

# fmt: off
TOOLS = [
    "awk", "bash", "cat", "cksum", "cp", "dirname", "env", "grep", "head", "ln", "ls", "make",
    "mkdir", "mktemp", "mv", "printenv", "readlink", "rm", "sed", "sh", "sleep", "tail",
]
# fmt: on
LOCK = "sandbox/requirements.lock"


def locked(*names: str) -> str:
    """What the real lock says of some packages."""
    whole = (ROOT / "tests/requirements.lock").read_text()
    blocks = (re.search(rf"^{name}==[^#]*?(?=^\S|^ +#)", whole, re.MULTILINE) for name in names)
    return "".join(found[0] for found in blocks if found)


def clone(folder: Path) -> Path:
    copy(folder, ())
    (folder / LOCK).write_text(locked("pip", "uv", "toolz"))
    (folder / "tests/requirements.lock").write_text(locked("pip", "uv", "toolz", "iniconfig"))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose environment was set up, and which was renamed then."""
    folder = clone(tmp_path_factory.mktemp("setup") / "clone")
    said = make(folder)
    assert "Setting up .venv with CPython" in said and "again" not in said
    return folder.rename(folder.with_name("a clone, renamed: it's é"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return clone(tmp_path / "clone")


def environment(**settings: object) -> dict[str, str]:
    ours = {name: value for name, value in programs.environment().items() if name != "PYTHON"}
    return {**ours, **{name: str(value) for name, value in settings.items()}}


def attempt(folder: Path, target: str = "environment-sandbox", user: int | None = None, **settings):
    return subprocess.run(
        ["make", target], cwd=folder, env=environment(**settings), user=user, text=True,
        capture_output=True, check=False, timeout=300,
    )  # fmt: skip


def make(folder: Path, target: str = "environment-sandbox", **settings: object) -> str:
    done = attempt(folder, target, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(folder: Path, **settings: object) -> str:
    """The one sentence of a set-up that fails, and leaves nothing behind."""
    done = attempt(folder, **settings)
    assert done.returncode != 0
    sentence, ended = done.stderr.splitlines()
    assert ended.startswith("make: ***")
    assert list(folder.glob(".venv*")) == []
    return sentence


def python(folder: Path, code: str) -> str:
    command = [folder / ".venv/bin/python", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
def test_what_is_current_is_left_alone_in_a_clone_that_was_renamed(made):
    before = (made / ".venv/installed").stat().st_mtime_ns
    assert make(made) == ""
    assert (made / ".venv/installed").stat().st_mtime_ns == before
    script = [made / ".venv/bin/pip", "--version"]
    assert str(made) in subprocess.run(script, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_lock_file_that_changed_is_installed(made):
    assert "Installing tests/requirements.lock" in make(made, "environment-tests")
    assert python(made, "import iniconfig, toolz; print('both')") == "both"
    assert make(made) == ""
    (made / LOCK).write_text((made / LOCK).read_text() + locked("sortedcontainers"))
    assert make(made).startswith("Installing sandbox/requirements.lock")
    assert python(made, "import sortedcontainers as s; print(s.__name__)") == "sortedcontainers"


@pytest.mark.slow
def test_a_terminal_sees_how_far_it_is_and_no_list_of_packages(made):
    (made / LOCK).write_text((made / LOCK).read_text() + locked("pathspec"))
    screen, terminal = pty.openpty()
    command = ["make", "environment-sandbox"]
    with subprocess.Popen(
        command, cwd=made, env=environment(TERM="xterm"), stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = ""
        with suppress(OSError):  # how the end of a terminal is told
            while piece := os.read(screen, 4096):
                shown += piece.decode()
    os.close(screen)
    assert process.returncode == 0, shown
    assert re.search(r"\[#+ *\] \d packages", shown)
    assert shown.count("\n") == 1 and "pathspec" not in shown and shown.endswith("\r")


@pytest.mark.slow
def test_an_index_of_pips_settings_is_asked_by_uv_too(made):
    with serving(lambda _: Answer("", 404), "/simple") as index:
        (made / LOCK).write_text((made / LOCK).read_text() + locked("zict"))
        done = attempt(made, PIP_INDEX_URL=index.url, UV_NO_CACHE=1)
    assert done.returncode != 0
    asked = {request.path: request.headers["User-Agent"] for request in index.requests}
    assert "uv/" in asked["/simple/zict/"]
    assert "cannot be installed" in done.stderr.splitlines()[0]
    assert "again: its last set-up was interrupted" in make(made)
    assert python(made, "import zict; print(zict.__name__)") == "zict"


@pytest.mark.slow
def test_an_environment_whose_python_is_gone_is_made_anew(made):
    program = made / ".venv/bin/python"
    program.unlink()
    program.symlink_to("/nonexistent/python")
    assert "again: its Python is gone" in make(made)
    assert python(made, "import toolz; print(toolz.__name__)") == "toolz"


def start(folder: Path, **more) -> subprocess.Popen[str]:
    command = ["make", "environment-sandbox"]
    return subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, **more
    )


def end_midway(folder: Path, number: signal.Signals) -> int:
    """End a set-up by a signal, as soon as it has begun; its exit status."""
    with start(folder, start_new_session=True) as process:
        wait_for(lambda: (folder / ".venv.new/uv").exists(), 60, 0.01)
        os.killpg(process.pid, number)
        return process.wait(60)


@pytest.mark.slow
def test_a_set_up_that_is_killed_is_no_hindrance(empty):
    end_midway(empty, signal.SIGKILL)
    assert (empty / ".venv.lock").is_symlink() and not (empty / ".venv").exists()
    assert "Setting up" in make(empty)


def test_one_that_is_interrupted_leaves_nothing(empty):
    assert end_midway(empty, signal.SIGINT) != 0
    assert list(empty.glob(".venv*")) == []


@pytest.mark.slow
def test_two_at_once_make_one_environment(empty):
    both = [start(empty) for _ in range(2)]
    said = sorted(process.communicate(timeout=300)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said[0] == "Another make is setting up .venv: waiting for it\n"
    assert "Setting up .venv" in said[1]


OLD = '#!/bin/sh\ncase "$*" in *platform*) echo "CPython 3.8" ;; *) exit 1 ;; esac\n'


@pytest.mark.parametrize(
    ("program", "what"),
    [("/nonexistent", "no Python that starts"), ("yes", "no Python"), ("old", "CPython 3.8")],
)
def test_a_python_that_is_none_or_too_old_is_refused(empty, tmp_path, program, what):
    if program == "old":
        program = str(tmp_path / "an old python")
        Path(program).write_text(OLD)
        Path(program).chmod(0o755)
    sentence = refused(empty, PYTHON=program)
    assert sentence.startswith(f"PYTHON={program} is {what}")
    assert "3.10 to 3.12" in sentence


def test_a_machine_without_python_and_uv_is_told_what_to_install(empty, tmp_path):
    sentence = refused(empty, PATH=tools(tmp_path))
    assert "install one (Debian: apt-get install python3-venv)" in sentence


def test_where_no_python_fits_and_nothing_is_downloaded(empty, tmp_path):
    path = tools(tmp_path)
    shutil.copy2(Path(sys.executable).with_name("uv"), f"{path}/uv")
    sentence = refused(empty, PATH=path, UV_OFFLINE=1, UV_PYTHON_INSTALL_DIR=tmp_path / "pythons")
    assert "UV_OFFLINE" in sentence and "PYTHON=" in sentence and "Docker" in sentence


def tools(folder: Path) -> str:
    """A folder for the PATH that holds no Python."""
    path = folder / "tools"
    path.mkdir()
    for name in TOOLS:
        (path / name).symlink_to(shutil.which(name) or "")
    return str(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_clone_of_another_user_is_named(empty, tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    sentence = refused(empty, user=65534)
    assert sentence == f"{empty} cannot be written: clone to a folder of your own."


@pytest.mark.slow
def test_pip_reaches_no_index(empty):
    sentence = refused(empty, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES=0)
    assert sentence.startswith("pip cannot get uv (") and "index" in sentence
