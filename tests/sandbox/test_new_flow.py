"""make dataset: the names that it refuses, and the files that it writes, run and edited."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from sandbox import ROOT, new_flow
from sandbox.problems import SandboxError
from tests.compose.stack import copy

SPELLED = "give small letters, digits and _, and a letter first"


def passes_lint(folder, *files):
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([ruff, *command, *files], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", f"it is empty; {SPELLED}"),
        ("2x", f"it begins with '2'; {SPELLED}"),
        ("../x", f"it begins with '.'; {SPELLED}"),
        ("my-flow", f"it has the character '-'; {SPELLED}"),
        ("class", "it is a word of Python; give another"),
        ("medallion", "it is the name of a part of the project; give another"),
        ("x" * 32, "it has 32 characters, too many for its blocks, such as transform_<name>"),
    ],
)
def test_a_name_is_refused_by_its_reason_and_nothing_is_written(
    tmp_path, monkeypatch, name, reason
):
    monkeypatch.setattr(new_flow, "ROOT", tmp_path)
    with pytest.raises(SandboxError) as caught:
        new_flow.write(name)
    said = str(caught.value)
    assert said.startswith(f"No flow can be called {name!r}: {reason}")
    assert said.endswith(", such as make dataset NAME=stations.")
    assert not list(tmp_path.iterdir())


NAMES = ["x", "stop_visits", "underground_stations", "z" * 31, "m_" * 15]


@pytest.mark.parametrize(
    ("name", "paging"),
    [*((name, "offset") for name in NAMES), *(("x", p) for p in new_flow.PAGING)],
)
def test_a_name_of_any_length_and_any_shape_pass_lint(tmp_path, monkeypatch, name, paging):
    monkeypatch.setattr(new_flow, "ROOT", tmp_path)
    new_flow.write(name, new_flow.Shape(paging, "data.items", "count"))
    written = [*tmp_path.rglob("*.py")]
    assert len(written) == 11
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for file in ("data/medallion/flow.py", "tests/flow_tests.py"):  # which are first-party
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    passes_lint(tmp_path, *written)


def test_a_shape_that_is_none_is_refused_by_those_there_are():
    with pytest.raises(SandboxError, match="PAGING=pages is no kind of pagination: give one of"):
        new_flow.Shape.asked_for("pages", "", "")
    assert new_flow.Shape.asked_for("", "", "") == new_flow.Shape("page_number", "", "")


def sandbox(folder, *arguments):
    command = [sys.executable, "-m", "sandbox", *arguments]
    ours = ("MINIO_", "LAKE_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(command, cwd=folder, env=env, stdout=PIPE, stderr=STDOUT, text=True)


@pytest.mark.server
@pytest.mark.slow
def test_a_flow_of_the_longest_name_needs_no_chart_and_its_block_says_so(tmp_path):
    folder, name = tmp_path / "checkout", "underground_stations_of_the_sea"
    assert len(name) == new_flow.LONGEST
    copy(folder, ())
    sandbox(folder, "dataset", "--name", name)
    file = folder / "data" / name / "flow.py"
    text = file.read_text(encoding="utf-8")
    chart = ("    chart=Chart(draw, of=BY_KIND.name),\n", "from .chart import draw\n", "Chart, ")
    for mentioned in chart:
        assert mentioned in text
        text = text.replace(mentioned, "")
    file.write_text(text, encoding="utf-8")
    done = sandbox(folder, "demo", "--flow", name)
    assert done.returncode == 0, done.stdout
    assert f"  draw_{name} has nothing to publish, and may be removed" in done.stdout
    assert (folder / "data" / "visualizations" / f"{name}_report.html").is_file()
    passes_lint(folder, "data")
    tests = [sys.executable, "-m", "pytest", "-q", "-k", "test_it", f"tests/flows/{name}"]
    done = subprocess.run(tests, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
