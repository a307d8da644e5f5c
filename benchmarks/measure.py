"""What a process and its children take: seconds, and the most memory they held at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 0.1
MEMORY_LIMIT = 12 << 30  # bytes; a job that holds more is ended, before it ends the machine


@dataclass(frozen=True)
class Measured:
    """Wall-clock seconds of a process from start to end, and its greatest memory in bytes.

    Memory is the sum of the proportional set sizes (PSS) of the process and all its descendants, so
    that what they share is counted once; of the resident sets where the system tells no other.
    """

    seconds: float
    memory: int


class OutOfBounds(Exception):
    """A process held more memory than it was allowed, and was ended."""


def run(command: Sequence[str], limit: int = MEMORY_LIMIT) -> Measured:
    """Run a command to its end.

    Args:
        command: what to run.
        limit: bytes of memory that it may hold.

    Raises:
        OutOfBounds: it held more.
        subprocess.CalledProcessError: it failed.
    """
    greatest = 0
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            held = _memory(process)
            greatest = max(greatest, held)
            if held > limit:
                _end(process)
                raise OutOfBounds
            with suppress(psutil.TimeoutExpired):
                process.wait(EVERY_SECONDS)
        seconds = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace"))
            raise subprocess.CalledProcessError(process.returncode, list(command))
    return Measured(seconds, greatest)


def _memory(process: psutil.Process) -> int:
    held = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                held += _held(one)
    return held


def _held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (AttributeError, psutil.AccessDenied):  # macOS
        return int(process.memory_info().rss)


def _end(process: psutil.Popen) -> None:
    for one in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()
