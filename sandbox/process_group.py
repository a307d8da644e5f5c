"""Runs a command that ends, with all its child processes, when its parent ends.

A killed process cannot end its children. So a small process runs in between. It holds one end of a
pipe. The kernel closes the other end when the parent ends, even if the parent was killed.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

import psutil

from data.medallion.host.command import PIPE_CLOSED, say, when_ended

from . import ROOT

PATIENCE_SECONDS = 10.0  # the embedded store needs up to four, or hangs for good
CANNOT_START = 126  # the exit status that a shell uses


@contextmanager
def in_own_group(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the repository's root and its own session, while the context lasts.

    The process has the exit status of the command. The end of the context waits for it.

    Args:
        command: a program and its arguments.
        options: options of `subprocess.Popen`.
    """
    theirs, ours = os.pipe()
    command = [sys.executable, "-m", "sandbox.process_group", str(theirs), *command]
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, pass_fds=(theirs,), **options
        )
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    try:
        yield process
    finally:
        os.close(ours)
        process.wait()


class _Group:
    def __init__(self) -> None:
        self._over = threading.Event()
        self._status = 0

    def hold(self, pipe: int, command: Sequence[str]) -> int:
        """Run the command; end its processes when it, the parent or the reader is gone."""
        when_ended(lambda _: self._over.set())
        out, error = _copied()
        try:
            process = subprocess.Popen(command, stdout=out, stderr=error)
        except OSError as problem:
            say(f"{command[0]} cannot be started: {problem.strerror}.")
            return CANNOT_START
        self._beside(self._follow_holder, pipe)
        self._beside(self._follow, process)
        copying = [
            self._beside(self._copy, source, to)
            for source, to in ((process.stdout, 1), (process.stderr, 2))
            if source
        ]
        self._over.wait()
        _end_family()
        for thread in copying:
            thread.join(1)
        if not self._status:
            status = process.wait()
            self._status = status if status >= 0 else 128 - status  # as in a shell
        return self._status

    def _beside(self, target: Any, *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        return thread

    def _follow_holder(self, pipe: int) -> None:
        os.read(pipe, 1)  # nothing is ever written, so it returns when the other end is closed
        self._over.set()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._over.set()

    def _copy(self, source: IO[bytes], to: int) -> None:
        """Copy output; if the reader is gone, end without Python's traceback."""
        with suppress(OSError):
            while piece := os.read(source.fileno(), 1 << 16):
                while piece:
                    piece = piece[os.write(to, piece) :]
            return
        self._status = PIPE_CLOSED
        self._over.set()


def _copied() -> tuple[int | None, int | None]:
    """The outputs of a command that this process copies: only those that lead into a pipe."""
    out, error = (
        subprocess.PIPE if stat.S_ISFIFO(os.fstat(number).st_mode) else None for number in (1, 2)
    )
    if out and error and os.path.sameopenfile(1, 2):
        error = subprocess.STDOUT
    return out, error


def _end_family() -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        family = _family()
        for member in family:
            with suppress(psutil.Error):
                member.send_signal(number)
        end = time.monotonic() + PATIENCE_SECONDS
        while any(map(_alive, family)) and time.monotonic() < end:
            time.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _family() -> list[psutil.Process]:
    """The descendants of this process, and the other processes of its session."""
    descendants = psutil.Process().children(recursive=True)
    # On macOS, the kernel is process 0; in system calls, 0 means the caller.
    known = {process.pid for process in descendants} | {os.getpid(), 0}
    return descendants + [
        process
        for process in psutil.process_iter()
        if process.pid not in known and _session(process.pid) == os.getsid(0)
    ]


def _session(process: int) -> int | None:
    with suppress(OSError):
        return os.getsid(process)
    return None


if __name__ == "__main__":
    sys.exit(_Group().hold(int(sys.argv[1]), sys.argv[2:]))
