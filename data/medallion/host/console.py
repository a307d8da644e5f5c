"""The output of a run for people. A closed screen, or one without some letters, stops no run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

QUIET_SECONDS = 30.0


def tell(text: str) -> None:
    """Print a line, above the progress bars; letters that the screen cannot show are escaped."""
    screen = _Screen(sys.stderr)
    beside = tqdm.external_write_mode(screen) if screen.isatty() else nullcontext()
    with suppress(OSError, ValueError), beside:  # ValueError: the stream is closed
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def progress(
    items: Iterable[Any] = (), *, doing: str, total: int | None, unit: str, delay: float = 0
) -> tqdm[Any]:
    """A progress bar over some items, or one to update by hand; an unknown `total` is None.

    `doing` is its label, and `delay` the seconds before it is shown. If the output is not a
    terminal, the bar is printed after half a minute, then twice a minute.
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
