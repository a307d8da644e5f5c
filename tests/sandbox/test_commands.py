"""The commands of make, as a terminal, a proxy and a full folder meet them."""

import gc
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from data.medallion import project
from sandbox import ROOT, default_flow
from sandbox.__main__ import main
from tests.programs import environment
from tests.waiting import wait_for

FLOW = project.load(default_flow())
SECONDS = 30


@contextmanager
def started(command: str, mark: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own, whose children are known by a variable."""
    settings = {
        **environment(),
        f"{FLOW.prefix}API_URL": "http://127.0.0.1:1/",
        "LAKE_SPOOL": str(mark / "spool"),
        "MAGE_DATA_DIR": str(mark / "mage"),
        "TEST_MARK": str(mark),
        **more,
    }
    for name in ("MINIO_ENDPOINT", "NO_PROXY", "no_proxy"):
        settings.pop(name, None)
    with subprocess.Popen(
        shlex.split(command), cwd=ROOT, env=settings, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            for left in family(mark):
                left.kill()


def family(mark: Path) -> list[psutil.Process]:
    """What a command has started, and what that has."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "environ", "status"])
        if (process.info["environ"] or {}).get("TEST_MARK") == str(mark)
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port that the system gives to nobody, and that a server may take all the same."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def is_answering(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


SERVING = "Ctrl-C ends it"
SLOW = pytest.mark.slow
ENDS = [
    ("make store", "weed", "group", signal.SIGHUP, SERVING),
    ("make store", "weed", "make", signal.SIGKILL, SERVING),
    # Where there is no /proc, a make that alone is told waits for its command.
    pytest.param(
        *("make store", "weed", "make", signal.SIGHUP, SERVING),
        marks=[SLOW, pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")],
    ),
    pytest.param("make api", "sandbox api", "group", signal.SIGHUP, SERVING, marks=SLOW),
    ("make api", "sandbox api", "make", signal.SIGKILL, SERVING),
    ("make run", f"run data {FLOW.name}", "group", signal.SIGINT, "Interrupted: "),
    pytest.param("make run", f"run data {FLOW.name}", "python", signal.SIGKILL, "", marks=SLOW),
    ("make web", "start data", "group", signal.SIGINT, "Mage's page"),
    pytest.param("make web", "scheduler", "make", signal.SIGKILL, "Mage's page", marks=SLOW),
]


@pytest.mark.parametrize(("target", "up", "who", "number", "says"), ENDS)
def test_whatever_ends_a_command_ends_all_that_it_started(tmp_path, target, up, who, number, says):
    (tmp_path / "lake" / "data").mkdir(parents=True)
    with reserved_port() as port:
        options = f"LAKE={tmp_path / 'lake'} WEB_PORT={port} ARGS='--port {port} --count 9'"
        with started(f"{target} {options}", tmp_path) as process:
            said = ""
            if says == SERVING:
                while says not in said:
                    said += process.stdout.readline() or pytest.fail(said)
            elif up == "scheduler":
                wait_for(lambda: is_answering(port), 60, 0.2)
            else:
                is_up = lambda p: up in " ".join(p.info["cmdline"] or ())  # noqa: E731
                wait_for(lambda: any(map(is_up, family(tmp_path))), 60, 0.1)
            time.sleep(0.3)
            if who == "group":
                os.killpg(process.pid, number)
            elif who == "make":
                process.send_signal(number)
            else:
                (child,) = psutil.Process(process.pid).children()
                child.send_signal(number)
            wait_for(lambda: not family(tmp_path), SECONDS, 0.1)
            output = said + process.communicate(timeout=SECONDS)[0]
        assert says in output and "Traceback" not in output
        assert not is_answering(port)


@pytest.mark.parametrize("module", ["sandbox.store", "pyarrow.lib"])
def test_ctrl_c_while_a_command_imports_is_one_sentence(tmp_path, module):
    command = f"{sys.executable} -X importtime -m sandbox run --lake {tmp_path / 'lake'}"
    with started(command, tmp_path) as process:
        while not (line := process.stdout.readline()).endswith(f" {module}\n"):
            assert line
        process.send_signal(signal.SIGINT)
        lines = process.communicate(timeout=SECONDS)[0].splitlines()
    (sentence,) = (line for line in lines if not line.startswith("import time:"))
    assert sentence.startswith("Interrupted: ") and process.returncode == 130


@pytest.mark.slow
def test_an_output_that_is_closed_ends_mage_without_a_traceback(tmp_path):
    command = f"{sys.executable} -m sandbox run --lake {tmp_path / 'lake'}"
    piped = f"sh -c '{{ {command} 2>&3 | head -1 >/dev/null; }} 3>&1'"
    with started(piped, tmp_path, **{f"{FLOW.prefix}API_ATTEMPTS": "1"}) as process:
        output = process.communicate(timeout=60)[0]
    assert "Traceback" not in output and "BrokenPipe" not in output
    wait_for(lambda: not family(tmp_path), SECONDS, 0.1)


@pytest.fixture
def refused(monkeypatch, capsys):
    """The one sentence of a command that cannot be done, without a store in the settings."""
    monkeypatch.delenv("MINIO_ENDPOINT", raising=False)

    def call(*arguments: object) -> str:
        assert main([*map(str, arguments)]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        return said

    yield call
    gc.unfreeze()  # what a command has frozen, since its process would end now


@pytest.mark.parametrize("command", ["api", "web"])
def test_a_taken_port_is_a_sentence(refused, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(command, "--port", port)
    assert said.startswith(f"Port {port} is taken: end what listens there, or choose another with")


def test_a_host_that_is_not_ours_is_a_sentence(refused):
    assert "10.255.255.1 cannot be used (" in refused("api", "--host", "10.255.255.1")


@pytest.mark.parametrize(
    ("made", "named"), [("file", "lake"), ("users/", "lake/users"), ("lock/", "lake/lock")]
)
def test_a_folder_that_cannot_be_used_is_a_sentence(refused, tmp_path, made, named):
    lake = tmp_path / "lake"
    if made == "file":
        lake.touch()
    else:
        (lake / made).mkdir(parents=True)
    said = refused("run", "--lake", lake)
    assert said.startswith(f"{tmp_path / named} cannot be used (")
    assert said.endswith("something else stands there or in its path: move that away.\n")


@pytest.mark.parametrize("command", ["report", "store", "versions"])
def test_no_command_that_reads_makes_a_lake(refused, tmp_path, command):
    said = refused(command, "--lake", tmp_path / "none")
    assert said.startswith("There is no lake 'none' in ")
    assert not (tmp_path / "none").exists()


def test_a_lake_without_a_finished_run_is_named_and_refused(tmp_path):
    (tmp_path / "begun" / "data").mkdir(parents=True)
    command = f"{sys.executable} -m sandbox report --lake {tmp_path / 'begun'}"
    with started(command, tmp_path, LAKE_VISUALIZATIONS=str(tmp_path)) as process:
        said = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == 1
    assert said.startswith("lake begun\nNothing is published in this lake yet: ")
    assert not [*tmp_path.glob("*.html")]


def test_a_missing_page_and_a_missing_browser_are_a_sentence(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKE_VISUALIZATIONS", str(tmp_path))
    assert "make report or make demo makes it" in refused("show")
    (tmp_path / f"{FLOW.name}_report.html").touch()
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert refused("show").startswith("No browser is found here: open ")


@pytest.mark.parametrize("content", ["[", "{}", "[" * 10**6, None])
def test_a_dataset_that_is_none_is_a_sentence(refused, tmp_path, content):
    file = tmp_path / "own.json"
    file.mkdir() if content is None else file.write_text(content)
    assert f"--dataset {file} " in refused("api", "--port", "0", "--dataset", file)


def test_settings_that_are_no_utf_8_are_a_sentence(refused, tmp_path, monkeypatch):
    (tmp_path / ".env").write_bytes("A=1\nNAME=São\n".encode("latin-1"))
    monkeypatch.setattr("data.medallion.host.envfile.DOTENV", tmp_path / ".env")
    said = f"{tmp_path / '.env'} cannot be read (line 2 is not UTF-8); save it as"
    assert refused("run").startswith(said)
