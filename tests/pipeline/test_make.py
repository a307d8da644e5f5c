"""The Makefile's targets as the user types them, in a copy of the repository."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import requests

from data.breweries.flow import FLOW
from data.medallion.host.envfile import read_envfile
from data.medallion.lake.runs import RUN
from tests.compose.stack import copy
from tests.docs.code import TARGETS
from tests.docs.pages import ROOT, page
from tests.programs import OLD_PYTHON, environment, running
from tests.waiting import wait_for

pytestmark = pytest.mark.waits  # first, so that few processes make its demo

FLOW_RUN = re.compile(f"  run +({RUN})")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the environment at hand, so that none is installed."""
    folder = tmp_path_factory.mktemp("make") / "checkout"
    copy(folder, ())
    venv = folder / ".venv"
    venv.mkdir()
    for name in ("bin", "include", "lib", "lib64", "pyvenv.cfg", "installed"):
        (venv / name).symlink_to(Path(sys.prefix) / name)
    return folder


def run(folder: Path, command: str) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=environment(), text=True, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def until_ctrl_c(folder: Path, command: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """A command that runs until Ctrl-C."""
    return running(
        shlex.split(command), signal.SIGINT, cwd=folder, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def demo(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo prints, on an API that fails at times: the same as on one that does not.

    In an environment that would have Python import other things, or otherwise.
    """
    shadow = tmp_path_factory.mktemp("shadow")
    (shadow / "requests.py").write_text("raise SystemExit('another requests')")
    env = f"PYTHONPATH={shadow} PYTHONSAFEPATH=1 PYTHONOPTIMIZE=2 PYTHONWARNINGS=error"
    env += " BREWERIES_API_BACKOFF_SECONDS=0.05 BREWERIES_API_ATTEMPTS=16"  # 8 may all fail
    return run(checkout, f'env {env} make demo ARGS="--error-rate 0.2 --cut-rate 0.1"')


def test_demo_prints_what_the_readme_shows(demo):
    """A line a block, and no other of Mage's."""
    told = next(block.text for block in page("README.md").blocks if block.language == "text")
    shown, printed = (
        [re.sub(r" +[\d.,]+( s)?$", "", line) for line in text.splitlines()]  # seconds, or bytes
        for text in (told, demo)
    )
    assert shown[0] in printed, demo
    start = printed.index(shown[1])  # after what was tried again
    assert printed[start : start + len(shown)] == [*shown[1:], ""], demo


@pytest.fixture(scope="module")
def served(checkout, demo) -> Iterator[Path]:
    """The file that says where the store of the demo's lake is, as long as it runs."""
    file = checkout / ".sandbox" / "demo" / "store.env"
    with until_ctrl_c(checkout, "make store LAKE=demo"):
        wait_for(file.exists, pause=0.2)
        yield file
    wait_for(lambda: not file.exists(), pause=0.2)


def test_the_readme_reads_the_lake_that_store_serves(checkout, served):
    blocks = [block.text for block in page("README.md").blocks if block.language == "python"]
    program = "\n".join(blocks).replace("breweries_lake", "data")  # not installed here
    (checkout / "read.py").write_text(program, encoding="utf-8")
    printed = run(checkout, f".venv/bin/dotenv -f {served} run -- .venv/bin/python read.py")
    assert printed.endswith(" 11800\n") and "name" in printed


def test_the_demo_is_asked_in_sql(checkout, demo, served):
    run_of_it = FLOW_RUN.search(demo)
    assert run_of_it
    day = f"{run_of_it[1][:4]}-{run_of_it[1][4:6]}-{run_of_it[1][6:8]}"
    query = "SELECT count(*)::int AS n, '$US' AS d FROM silver"
    shown = run(checkout, "make sql LAKE=demo Q=" + shlex.quote(query) + " AT=" + day)
    assert "11800" in shown and "$US" in shown
    (checkout / "file.sql").write_text("SELECT count(*) AS n FROM silver;")
    assert "11800" in run(checkout, "sh -c 'make -s sql LAKE=demo FORMAT=json < file.sql'")
    assert run_of_it[1] in run(checkout, "make versions")  # of the lake that was used last
    command = "make changes LAKE=demo FROM=" + run_of_it[1] + " TO=" + run_of_it[1]
    assert '"added": 0' in run(checkout, command + " FORMAT=json")
    told = run(checkout, "make export LAKE=demo TO=breweries.duckdb AT=" + day)
    assert "breweries.duckdb  " in told and "11,800 rows, version " in told
    assert "The lake is whole" in run(checkout, "make check LAKE=demo")


def test_a_run_can_be_replayed_without_the_api(checkout, world):
    run(checkout, "make run")
    first = world.manifest(FLOW.chart_dataset)
    world.api.records = []
    run(checkout, "make run SNAPSHOT=" + first.snapshot)
    again = world.manifest(FLOW.chart_dataset)
    assert again.run > first.run
    assert (again.snapshot, again.objects) == (first.snapshot, first.objects)


def test_report_makes_the_page_of_a_lake(checkout, demo):
    (printed,) = re.findall(r"^  page +(.+)$", demo, re.MULTILINE)
    for command in ("", "make report LAKE=demo"):
        assert not command or printed in run(checkout, command)
        assert "<b>11,800</b> rows" in Path(printed).read_text(encoding="utf-8")
    assert Path(printed).as_uri() in run(checkout, "env BROWSER='echo %s' make open")


def test_api_serves_ones_own_records(checkout):
    (checkout / "own.json").write_text('[{"id": "own"}]')
    with until_ctrl_c(checkout, 'make api ARGS="--dataset own.json --port 0"') as server:
        url = server.stdout.readline().split()[0].removeprefix("BREWERIES_API_URL=")
        answer = requests.get(url, headers={"Accept": "application/json"}, timeout=10)
    assert answer.json() == [{"id": "own"}]


def test_help_lists_every_target(checkout):
    printed = run(checkout, "make help")
    assert set(re.findall(r"^  make (\S+) +\S", printed, re.MULTILINE)) == TARGETS


def test_env_writes_what_the_stack_needs_and_never_over_it(checkout):
    file = checkout / ".env"
    try:
        run(checkout, "make env")
        assert file.stat().st_mode & 0o777 == 0o600
        empty = {name for name, value in read_envfile(ROOT / ".env.example").items() if not value}
        filled = empty - {name for name, value in read_envfile(file).items() if not value}
        settings = page("docs/settings.md").text
        required = re.findall(r"^\| (.*?) \| none: required", settings, re.MULTILINE)
        keys = {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}  # those of the store of the stack
        assert filled == {*keys, *re.findall(r"`(\w+)`", "".join(required))}
        before = file.read_bytes()
        run(checkout, "make env")
        assert file.read_bytes() == before
    finally:
        file.unlink(missing_ok=True)


def test_format_mends(checkout):
    file = checkout / "sandbox" / "untidy.py"
    file.write_text('"""Untidy."""\nimport os\nX = {\'a\' :1}\n')
    run(checkout, "make format")
    assert file.read_text() == '"""Untidy."""\n\nX = {"a": 1}\n'
    file.unlink()


def test_dashboards_are_those_that_are_committed(checkout):
    pytest.importorskip("grafana_foundation_sdk", reason=OLD_PYTHON)
    folder = checkout / "monitoring" / "grafana" / "dashboards"
    (folder / "old.json").write_text("{}")
    run(checkout, "make dashboards")
    committed = ROOT / folder.relative_to(checkout)
    assert files(folder) == files(committed)
    assert all((folder / f).read_bytes() == (committed / f).read_bytes() for f in files(folder))


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["make test-fast ARGS='-k test_partitions'", "make test-faults ARGS='-k reset'"]
)
def test_a_part_of_the_tests_can_be_chosen(checkout, command):
    assert re.search(r"^\d+ passed, \d+ deselected", run(checkout, command), re.MULTILINE)


def test_clean_leaves_what_was_cloned(tmp_path):
    copy(tmp_path, ())
    cloned = files(tmp_path)
    for name in (
        ".venv/bin/python", ".sandbox/demo/store.env", ".pytest_cache/x", ".hypothesis/x",
        ".ruff_cache/x", ".mypy_cache/x", "data/.mage_data/x", "data/.ssh_tunnel/x",
        "data/.file_versions/x", "data/.spool/silver/x.json", "data/visualizations/x.png",
        "data/breweries/__pycache__/x.pyc", "tests/unit/__pycache__/x.pyc",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    run(tmp_path, "make clean")
    assert files(tmp_path) == cloned
