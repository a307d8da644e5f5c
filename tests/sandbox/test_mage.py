"""What is left out of Mage's output, and what is the last line where a run fails."""

import io
import os
import subprocess
import sys

import pytest

from data.breweries.flow import FLOW
from data.medallion.errors import MedallionError
from sandbox import ROOT, mage, runner


def mage_run(**settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.mage", "run", "data", "breweries", "--test"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, text=True, capture_output=True,
        check=False, timeout=120,
    )  # fmt: skip


def test_the_last_line_of_a_run_that_fails_is_the_sentence(world):
    done = mage_run(BREWERIES_API_ATTEMPTS="1", BREWERIES_API_URL="http://127.0.0.1:1/")
    assert done.returncode == 1 and "Traceback" not in done.stdout + done.stderr
    where, sentence = done.stdout.splitlines()
    assert where.startswith("The error log is bronze/logs/")
    assert sentence.startswith("ApiGaveUp: ") and "check BREWERIES_API_URL" in sentence


@pytest.mark.parametrize(
    ("error", "last"), [(MedallionError("told"), ""), (KeyError("x"), mage.UNFORESEEN)]
)
def test_an_error_of_mage_itself_is_told_after_its_traceback(monkeypatch, capsys, error, last):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("typer.main.get_command", lambda app: fail)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    assert mage.main(["run"]) == 1
    said = capsys.readouterr().err
    assert said.endswith(f"{last}\n" if last else "") and ("Traceback" in said) == bool(last)


def test_whole_lines_alone_are_left_out():
    shown = io.StringIO()
    stream = mage._Filtered(shown)
    stream.write("DBT library ")
    stream.write("not installed.\nno DBT library not installed.\n")
    stream.write("0/1 tests passed.\n")
    stream.write("the end")
    stream.end()
    assert shown.getvalue() == "no DBT library not installed.\n0/1 tests passed.\nthe end"


def test_a_second_run_says_what_changed(world):
    world.run(test=False)
    first = world.manifest(FLOW.silver)
    told = runner.report(FLOW, world.lake, first)
    assert f"before   {first.run}: the same rows, so no data were written again" in told
    world.api.records = world.api.records[:-1]
    world.run(test=False)
    told = runner.report(FLOW, world.lake, first)
    assert f"before   {first.run}: 1 removed; " in told
    assert "before" not in runner.report(FLOW, world.lake)
