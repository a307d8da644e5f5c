"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(check: Callable[[], T | None], seconds: float = 180, pause: float = 1.0) -> T:
    """What a check gives once it gives anything; asked again and again until then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain")
