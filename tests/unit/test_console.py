"""A screen that fails or lacks letters fails no run."""

import io
import logging
import subprocess
import sys

import pytest

from data.medallion.host.console import PACKAGE, progress, show_messages


def told(text):
    show_messages("stdout")
    logging.getLogger(f"{PACKAGE}.lake").info(text)


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_line_is_told_in_the_letters_that_the_screen_has(monkeypatch, encoding):
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    told("São Paulo: 맥주 failed")
    said = screen.buffer.getvalue().decode(encoding)
    assert said.startswith("S")
    assert said.rstrip().endswith("failed")


def test_a_screen_that_is_gone_stops_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken())
    monkeypatch.setattr(sys, "stderr", Broken())
    told("nobody hears this")
    assert list(progress(range(3), doing="work", total=3, unit="tasks")) == [0, 1, 2]
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    told("nor this")


def test_a_program_that_imports_the_readers_decides_what_is_printed():
    program = f"""
import logging
from {PACKAGE}.host.console import progress
logging.getLogger("{PACKAGE}.lake").info("a note")
list(progress(range(3), doing="work", total=3, unit="tasks"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
