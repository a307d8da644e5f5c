"""The embedded object store: its first user starts it, and it ends after its last user.

Each user of a store holds a shared lock on a file in its folder. `keeper` waits for an exclusive
lock. It gets this lock when the last user is gone, even if that user was killed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import requests

from data.medallion.host.envfile import read_envfile
from data.medallion.host.network import session

from . import ROOT
from .problems import SandboxError, in_words, using

START_SECONDS = 60.0
STOP_SECONDS = 30.0
TICK_SECONDS = 0.05
ENV_FILE = "store.env"
USERS = "users"
"""The file in a store's folder that its users lock."""
KEEPER = "lock"
"""The file in a store's folder that its keeper locks."""


class StoreFailed(SandboxError):
    """The embedded store could not be started."""


@contextmanager
def embedded_store(folder: Path, *flags: str) -> Iterator[dict[str, str]]:
    """Use the store of a folder, and start it if it does not run.

    It runs until its last user has left.

    Args:
        folder: the folder for its data.
        flags: more flags for its command line, if it is started now.

    Yields:
        The settings of the store (`MINIO_ENDPOINT` and so on). While it runs, they are also in
        `store.env` in the folder, which only its owner can read. The keys are new at each start.

    Raises:
        SandboxError: the store cannot be started, or the folder cannot be used.
    """
    folder = folder.resolve()
    with using(folder):
        folder.mkdir(parents=True, exist_ok=True)
        users = (folder / USERS).open("a")
    with users:
        try:
            yield _join(folder, users, flags)
        finally:
            _leave(folder, users)


def _join(folder: Path, users: IO[str], flags: tuple[str, ...]) -> dict[str, str]:
    end = time.monotonic() + START_SECONDS + STOP_SECONDS
    while time.monotonic() < end:
        # While a keeper ends its store, it holds the exclusive lock.
        if lock(users, fcntl.LOCK_SH):
            if not _is_held(folder / KEEPER):
                _start(folder, flags)
            found = read_envfile(folder / ENV_FILE)
            if found and healthy(found["MINIO_ENDPOINT"]):
                return found
        time.sleep(TICK_SECONDS)
    raise StoreFailed(
        f"Another process uses {folder}, but its store does not respond; end it and try again."
    )


def _leave(folder: Path, users: IO[str]) -> None:
    """Stop using the store; the last user waits until the store has ended."""
    fcntl.flock(users, fcntl.LOCK_UN)
    end = time.monotonic() + STOP_SECONDS
    while _is_held(folder / KEEPER) and time.monotonic() < end:
        if not lock(users, fcntl.LOCK_EX) and lock(users, fcntl.LOCK_SH):
            return  # there are other users
        fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(TICK_SECONDS)


def _start(folder: Path, flags: tuple[str, ...]) -> None:
    """Start a keeper. It closes its output when its store is ready, or prints why it is not."""
    command = [sys.executable, "-m", "sandbox.keeper", str(folder), *flags]
    try:
        keeper = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, check=False,
            start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise StoreFailed(in_words(error, "The embedded store")) from None
    if keeper.stdout:
        raise StoreFailed(keeper.stdout.decode(errors="replace").strip())


def lock(file: IO[str], kind: int) -> bool:
    """Try to lock a file without waiting; returns whether this process holds the lock now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    with using(path), path.open("a") as file:
        return not lock(file, fcntl.LOCK_SH)


def healthy(endpoint: str) -> bool:
    """Whether a store responds at this endpoint."""
    with suppress(requests.RequestException), session() as asking:
        asking.trust_env = False  # the keeper is a fork, and must not ask macOS for its proxies
        return asking.get(f"http://{endpoint}/healthz", timeout=1).ok
    return False


def write_private(file: Path, values: dict[str, str]) -> None:
    """Write settings atomically to a file that only its owner can read.

    Raises:
        SandboxError: the file cannot be written.
    """
    draft = file.with_suffix(".draft")
    with using(file):
        draft.touch(mode=0o600)
        draft.write_text(
            "".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8"
        )
        draft.replace(file)
