"""Which lake a command means: that of the settings' store, or a folder of the embedded one.

This module imports little, so that a store starts while a command imports what reads it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.medallion.host.command import say
from data.medallion.host.envfile import environment

from . import SANDBOX
from .problems import SandboxError
from .store import USERS, embedded_store, starting_store

MAIN = "main"
DEMO = "demo"


@contextmanager
def variables(values: dict[str, str]) -> Iterator[None]:
    """Set variables of this process and its children for a while."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def lake_to_write(named: str) -> Iterator[bool]:
    """The store of the settings, or else the embedded one; yields whether it is embedded."""
    if _endpoint():
        yield False
    else:
        with embedded_store(SANDBOX / (named or MAIN)) as given, variables(given):
            yield True


@contextmanager
def lake_to_read(named: str) -> Iterator[Callable[[], dict[str, str]]]:
    """The same for a command that only reads: the lake must be there, and stderr names it.

    Yields:
        A function that waits until the store is ready, and returns the settings to add.

    Raises:
        SandboxError: there is no such lake.
    """
    if endpoint := _endpoint():
        say(f"lake at {endpoint}")
        yield dict
    else:
        folder = lake_there(named)
        say(f"lake {folder.name}")
        with starting_store(folder) as ready:
            yield ready


def lake_there(named: str) -> Path:
    """The folder of an embedded lake; by default of the one that was used last.

    Raises:
        SandboxError: there is no such lake.
    """
    by_use = sorted(SANDBOX.glob(f"*/{USERS}"), key=lambda file: file.stat().st_mtime)
    used = [file.parent for file in by_use if (file.parent / "data").is_dir()]
    folder = SANDBOX / (named or (used[-1].name if used else MAIN))
    if not (folder / "data").is_dir():
        remedy = f"read another by LAKE={used[-1].name}" if used else "make it by make run"
        raise SandboxError(f"There is no lake {folder.name!r} in {SANDBOX} yet: {remedy}.")
    return folder


def _endpoint() -> str:
    return environment().get("MINIO_ENDPOINT", "")
