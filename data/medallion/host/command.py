"""The frame of every command: it ends with a sentence, never with a traceback.

This module imports little, so that Ctrl-C during the later, heavy imports gives a sentence too.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the last one: a closed terminal
PIPE_CLOSED = 128 + signal.SIGPIPE
LOOK_SECONDS = 0.5
SIGNAL_DEBOUNCE_SECONDS = 5.0  # a closed terminal sends two signals, and so does the end of make


class Interrupted(KeyboardInterrupt):
    """A signal asks the process to end; raised in the main thread."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number  # the exit status that a shell reports


def run(main: Callable[[], int], interrupted: str = "Interrupted.") -> int:
    """Do a command's work and return its exit status.

    Letters that the terminal cannot show are replaced. A signal of `ENDING`, or the end of the
    make that started this process, raises `Interrupted`: the sentence `interrupted` is printed. A
    closed output ends the command.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        with _interruptions():
            status = main()
            _flush()
            return status
    except Interrupted as end:
        say(interrupted)
        return end.status
    except BrokenPipeError:
        return PIPE_CLOSED
    finally:
        try:
            _flush()
        except OSError:  # else Python's last flush would print an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _flush() -> None:
    if sys.stdout:  # print would write even nothing, which a full disk may refuse
        sys.stdout.flush()


def say(sentence: object) -> None:
    """Print a sentence to stderr, unless it is closed."""
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def port(text: str) -> int:
    """Parse a port, for argparse."""
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: choose one below 65536")
    return int(text)


def heard() -> list[signal.Signals]:
    """The signals of `ENDING`, without those that our parent process ignores, as nohup does."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def when_ended(do: Callable[[int], None]) -> dict[signal.Signals, Any]:
    """Install a handler for the signals of `heard`; returns the previous handlers."""
    return {number: signal.signal(number, lambda given, _: do(given)) for number in heard()}


@contextmanager
def _interruptions() -> Iterator[None]:
    last = -SIGNAL_DEBOUNCE_SECONDS

    def interrupt(number: int) -> None:
        nonlocal last
        if time.monotonic() - last > SIGNAL_DEBOUNCE_SECONDS:
            last = time.monotonic()
            raise Interrupted(number)

    before = when_ended(interrupt)
    finished = threading.Event()
    if "MAKELEVEL" in os.environ:
        threading.Thread(target=_follow_make, args=(finished,), daemon=True).start()
    try:
        yield
        for number, handler in before.items():
            signal.signal(number, handler)
    finally:
        finished.set()


def _follow_make(finished: threading.Event) -> None:
    """End this process when the make that started it ends.

    If only make gets a signal, it waits for us, and passes on only SIGTERM. On Linux, we detect
    the other signals: make no longer has a handler for them.
    """
    make = os.getppid()
    handled = _handled_signals(make)
    while not finished.wait(LOOK_SECONDS):
        ending = list(handled - _handled_signals(make))
        if os.getppid() != make:
            ending = [signal.SIGTERM]
        if ending:
            os.kill(os.getpid(), ending[0])
            return


def _handled_signals(process: int) -> set[int]:
    """The signals for which a make process has a handler; none if there is no /proc."""
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines())
        if "make" in fields["Name"]:
            mask = int(fields["SigCgt"], 16)
            return {number for number in ENDING if mask >> (number - 1) & 1}
    return set()
