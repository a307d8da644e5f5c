"""A screen that fails or lacks letters fails no run."""

import io
import sys

import pytest

from data.medallion.host.console import progress, tell


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_line_is_told_in_the_letters_that_the_screen_has(monkeypatch, encoding):
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    tell("São Paulo: 맥주 failed")
    said = screen.buffer.getvalue().decode(encoding)
    assert said.startswith("S")
    assert said.rstrip().endswith("failed")


def test_a_screen_that_is_gone_stops_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken())
    monkeypatch.setattr(sys, "stderr", Broken())
    tell("nobody hears this")
    assert list(progress(range(3), doing="work", total=3, unit="tasks")) == [0, 1, 2]
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    tell("nor this")
