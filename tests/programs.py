"""What programs are given, how they end, and those that are not there: whoever skips a test for
want of one says so, and what brings it.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sandbox import ROOT

OLD_PYTHON = "this Python is older than 3.11: PYTHON=python3.11 make setup"

# What the make of `make test` hands down.
MAKE = {
    "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "FLOW", "LAKE", "SNAPSHOT", "Q", "AT", "FROM", "TO",
    "FORMAT", "WEB_PORT",
}  # fmt: skip


def environment() -> dict[str, str]:
    """The variables of a user's terminal."""
    return {name: value for name, value in os.environ.items() if name not in MAKE}


def mage_run(*arguments: str, **how: Any) -> subprocess.CompletedProcess[Any]:
    """`mage run data breweries`, and what it printed."""
    command = [Path(sys.executable).with_name("mage"), "run", "data", "breweries", *arguments]
    told = {"cwd": ROOT, "timeout": 300, "capture_output": True, "check": False, **how}
    return subprocess.run(command, **told)


@contextmanager
def running(
    command: Sequence[object], number: signal.Signals = signal.SIGTERM, **how: Any
) -> Iterator[subprocess.Popen[Any]]:
    """A program in a process group of its own, until a signal ends it, or else a kill."""
    with subprocess.Popen([*map(str, command)], start_new_session=True, **how) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, number)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port on which nobody listens. Systems give higher ones to who asks for any."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = 10_000 + secrets.randbelow(22_000)
            probe.bind(("127.0.0.1", port))
            return port


def needs(packages: str, *programs: str) -> pytest.MarkDecorator:
    """Skips what needs programs that some packages of Debian bring."""
    missing = [program for program in programs if not shutil.which(program)]
    reason = f"missing {', '.join(missing)}: apt-get install {packages}"
    return pytest.mark.skipif(bool(missing), reason=reason)


needs_chromium = needs("chromium", "chromium")
needs_promtool = needs("prometheus", "promtool")
needs_prometheus = needs(
    "prometheus prometheus-alertmanager",
    *("prometheus", "prometheus-alertmanager", "promtool", "amtool"),
)
