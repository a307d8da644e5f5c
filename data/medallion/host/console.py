"""The output of a run for people. A closed screen, or one without some letters, stops no run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, Literal

from tqdm import tqdm

QUIET_SECONDS = 30.0
PACKAGE = __name__.rpartition(".host")[0]  # whose messages are shown


def show_messages(stream: Literal["stdout", "stderr"]) -> None:
    """Print what this package logs, and its progress. A program that imports it decides itself."""
    logger = logging.getLogger(PACKAGE)
    logger.handlers = [ScreenHandler(stream)]
    logger.setLevel(logging.INFO)
    logger.propagate = False  # Mage would print it once more


class ScreenHandler(logging.Handler):
    """Prints messages above the progress bars. Letters that the screen has not are escaped."""

    def __init__(self, stream: Literal["stdout", "stderr"]) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:  # noqa: D102 - as Handler says
        screen, text = _Screen(sys.stderr), record.getMessage()
        beside = tqdm.external_write_mode(screen) if screen.isatty() else nullcontext()
        with suppress(OSError, ValueError), beside:  # ValueError: the stream is closed
            stream = getattr(sys, self._stream)  # Mage replaces it for each block
            encoding = getattr(stream, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            print(text, file=stream, flush=True)


def progress(
    items: Iterable[Any] = (), *, doing: str, total: int | None, unit: str, delay: float = 0
) -> tqdm[Any]:
    """A progress bar over some items, or one to update by hand; an unknown `total` is None.

    `doing` is its label, and `delay` the seconds before it is shown. If the output is not a
    terminal, the bar is printed after half a minute, then twice a minute. Without `show_messages`,
    there is none, unless the program's own logging has the level INFO.
    """
    screen = _Screen(sys.stderr)
    seen = screen.isatty()
    return tqdm(
        items,
        doing,
        total,
        unit=f" {unit}",
        delay=delay if seen else QUIET_SECONDS,
        mininterval=1 if seen else QUIET_SECONDS,
        leave=not seen,
        disable=not logging.getLogger(PACKAGE).isEnabledFor(logging.INFO),
        file=screen,
    )


@dataclass(frozen=True)  # tqdm compares screens
class _Screen:
    """A stream whose failures are ignored: a closed pipe, a closed terminal, a full disk."""

    _stream: Any

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
