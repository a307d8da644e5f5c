"""What people see while a run works. A closed screen, or one that lacks letters, stops no run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from tqdm import tqdm

QUIET_SECONDS = 30.0


def tell(text: str) -> None:
    """Print a line; letters that the screen cannot show are escaped."""
    with suppress(OSError, ValueError):  # ValueError: the stream is closed
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def progress(
    items: Iterable[Any] = (), *, doing: str, total: int | None, unit: str, delay: float = 0
) -> tqdm[Any]:
    """A progress bar over some items, or one to update by hand.

    Where its output is no terminal, it shows after half a minute, and then twice a minute.

    Args:
        items: what is gone through; none for a bar that is updated by hand.
        doing: what is done, for people.
        total: how many items there are; None where that is not known.
        unit: what an item is called.
        delay: seconds before the bar is shown.
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


class _Screen:
    """A stream whose failures are ignored: a closed pipe, a closed terminal, a full disk."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
