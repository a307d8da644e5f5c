"""What every command does around its work, so that it ends with a sentence.

It imports little. Heavy imports come later, and a Ctrl-C during them gives a sentence too.
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

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to end, a terminal that is closed."""
PIPE_CLOSED = 128 + signal.SIGPIPE
LOOK_SECONDS = 0.5
DEAF_SECONDS = 5.0  # a closed terminal sends two signals, and so does the end of make


class Interrupted(KeyboardInterrupt):
    """The process is asked to end; raised in its main thread, wherever that is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        """What a shell says of a command that such a signal ended."""


def run(main: Callable[[], int], interrupted: str = "Interrupted.") -> int:
    """Do a command's work and return its exit status.

    What the terminal cannot show is replaced. A signal of `ENDING`, or the end of the make that
    started this process, is `Interrupted`. An output that nobody reads any more ends the command.

    Args:
        main: the work; gives its exit status.
        interrupted: the sentence where it was interrupted.
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
        _let_go_of_a_closed_output()


@contextmanager
def importing(interrupted: str) -> Iterator[None]:
    """End at once during imports, when an exception would meet half-loaded modules of C.

    Args:
        interrupted: the sentence where it was interrupted; the process then ends at once.
    """

    def end(number: int) -> None:
        say(interrupted)
        os._exit(128 + number)

    before = when_ended(end)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def say(sentence: object) -> None:
    """Print a sentence to stderr, if somebody still reads it."""
    with suppress(OSError):
        print(sentence, file=sys.stderr, flush=True)


def port(text: str) -> int:
    """A port, for argparse."""
    if not text.isdecimal() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: choose one below 65536")
    return int(text)


def heard() -> list[signal.Signals]:
    """The signals of `ENDING`, without those that our parent ignores, as nohup does."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def when_ended(do: Callable[[int], None]) -> dict[signal.Signals, Any]:
    """Do something at each of those signals; returns the handlers before."""
    return {number: signal.signal(number, lambda given, _: do(given)) for number in heard()}


@contextmanager
def _interruptions() -> Iterator[None]:
    last = -DEAF_SECONDS

    def interrupt(number: int) -> None:
        nonlocal last
        if time.monotonic() - last > DEAF_SECONDS:
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
    """End this process with the make that started it.

    If only make gets the signal, it waits for us and passes on SIGTERM alone. On Linux we see the
    signal all the same: make no longer handles it.
    """
    make = os.getppid()
    handled = _handled_signals(make)
    while not finished.wait(LOOK_SECONDS):
        left = _handled_signals(make)
        ending = list(handled - left)
        if os.getppid() != make:
            ending = [signal.SIGTERM]
        if ending:
            os.kill(os.getpid(), ending[0])
            return


def _handled_signals(process: int) -> set[int]:
    """The signals that a make has a handler for; none where there is no /proc."""
    with suppress(OSError):
        status = Path(f"/proc/{process}/status").read_text()
        told = dict(line.split(":\t", 1) for line in status.splitlines())
        if "make" in told["Name"]:
            mask = int(told["SigCgt"], 16)
            return {number for number in ENDING if mask >> (number - 1) & 1}
    return set()


def _flush() -> None:
    if sys.stdout:  # None where it was closed before
        sys.stdout.flush()


def _let_go_of_a_closed_output() -> None:
    """Keep Python's last flush quiet: it would print an error if the output is closed."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
