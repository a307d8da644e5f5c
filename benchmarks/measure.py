"""What a process and its children take: seconds, processor time, and the most memory at once."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 0.1
LOOPBACK = {"127.0.0.1", "localhost"}
SERVERS = {"weed", "minio"}  # not a proxy, which listens for a server in a container
MEMORY_LIMIT = 12 << 30  # bytes; a job that holds more is ended, before it ends the machine


@dataclass(frozen=True)
class Measured:
    """Wall-clock seconds of a process from start to end, and its greatest memory in bytes.

    Processor seconds are those of the process and all its descendants, and beside them those of the
    store meanwhile, if it is known.

    Memory is the sum of the proportional set sizes (PSS) of the process and all its descendants, so
    that what they share is counted once; of the resident sets where the system tells no other.
    """

    seconds: float
    memory: int
    processor: float
    store: float | None


class OutOfBounds(Exception):
    """A process held more memory than it was allowed, and was ended."""


def run(
    command: Sequence[str], limit: int = MEMORY_LIMIT, store: psutil.Process | None = None
) -> Measured:
    """Run a command to its end.

    Args:
        command: what to run.
        limit: bytes of memory that it may hold.
        store: the server of a store that works for the command.

    Raises:
        OutOfBounds: it held more.
        subprocess.CalledProcessError: it failed.
    """
    greatest = 0
    used: dict[int, float] = {}
    waited, stored = _waited(), _processor(store)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = psutil.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while process.poll() is None:
            held = _memory(process, used)
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
    # Each misses a little: the one who was not waited for, the other what came after the last look.
    processor = max(_waited() - waited, sum(used.values()))
    return Measured(seconds, greatest, processor, _processor(store) - stored if store else None)


def listening(endpoint: str) -> psutil.Process | None:
    """The server of a store on this machine; none if it is elsewhere, or not ours to look at.

    It is found by its port, because a wrapper that started it has its name too, and uses no time.
    """
    host, _, port = endpoint.partition(":")
    with suppress(psutil.Error):
        for one in psutil.net_connections("tcp") if host in LOOPBACK else ():
            here = one.status == psutil.CONN_LISTEN and one.laddr and str(one.laddr.port) == port
            if here and one.pid:
                server = psutil.Process(one.pid)
                return server if server.name() in SERVERS else None
    return None


def _processor(process: psutil.Process | None) -> float:
    times = process.cpu_times() if process else None
    return times.user + times.system if times else 0


def _waited() -> float:
    """Processor seconds of all descendants that ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _memory(process: psutil.Process, used: dict[int, float]) -> int:
    """Bytes that a process and its descendants hold; notes the processor seconds of each."""
    held = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                held += _held(one)
                used[one.pid] = _processor(one)
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
