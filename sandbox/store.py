"""The embedded object store: its first user starts it, and it ends after its last user.

Each user of a store holds a shared lock on a file in its folder. `store_lifetime` waits for an
exclusive lock. It gets this lock when the last user is gone, even if that user was killed. Who only
reads does not wait for the end, and a store that was only read is killed at once.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO

from data.medallion.host.envfile import read_envfile

from . import ROOT
from .problems import SandboxError, in_words, using

START_SECONDS = 60.0
STOP_SECONDS = 5.0
"""How long a store may take to end after a write: it needs two, or hangs for good."""
TICK_SECONDS = 0.02
ENV_FILE = "store.env"
USERS = "users"
"""The file in a store's folder that its users lock, and touch when they come."""
RUNNING = "lock"
"""The file in a store's folder that is locked while its store runs."""
WRITTEN = "written"
"""The file in a store's folder that says that a user of now may have written."""


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
    with using(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with starting_store(folder, *flags, writes=True) as ready:
        yield ready()


@contextmanager
def starting_store(
    folder: Path, *flags: str, writes: bool = False
) -> Iterator[Callable[[], dict[str, str]]]:
    """The same, for a folder that exists; yields a function that waits until the store is ready.

    Args:
        folder: the folder of its data.
        flags: more flags for its command line, if it is started now.
        writes: whether this user may write, and so waits until the store has ended properly.
    """
    folder = folder.resolve()
    with using(folder / USERS):
        users = (folder / USERS).open("a")
        os.utime(folder / USERS)
    with users:
        starter = _start(folder, users, flags)
        try:
            yield lambda: _join(folder, users, flags, starter, writes)
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if writes:
                _wait_for_the_end(folder, users)


def _join(
    folder: Path,
    users: IO[str],
    flags: tuple[str, ...],
    starter: subprocess.Popen[bytes] | None,
    writes: bool,
) -> dict[str, str]:
    end = time.monotonic() + START_SECONDS + STOP_SECONDS
    while time.monotonic() < end:
        if starter and (problem := starter.communicate()[0]):
            raise StoreFailed(problem.decode(errors="replace").strip())
        if lock(users, fcntl.LOCK_SH) and _is_held(folder / RUNNING):
            found = read_envfile(folder / ENV_FILE)
            if found and healthy(found["MINIO_ENDPOINT"]):
                if writes:
                    (folder / WRITTEN).touch()
                return found
        time.sleep(TICK_SECONDS)
        starter = _start(folder, users, flags)
    raise StoreFailed(
        f"Another process uses {folder}, but its store does not respond; end it and try again."
    )


def _wait_for_the_end(folder: Path, users: IO[str]) -> None:
    end = time.monotonic() + 2 * STOP_SECONDS
    while _is_held(folder / RUNNING) and time.monotonic() < end:
        if not lock(users, fcntl.LOCK_EX) and lock(users, fcntl.LOCK_SH):
            return  # there are other users
        fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(TICK_SECONDS)


def _start(folder: Path, users: IO[str], flags: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """Start the store by a process of its own, unless it runs.

    It closes its output when its store is ready, or prints why it is not.
    """
    # While a store is ended, its lifetime has the exclusive lock.
    if not lock(users, fcntl.LOCK_SH) or _is_held(folder / RUNNING):
        return None
    command = [sys.executable, "-m", "sandbox.store_lifetime", str(folder), *flags]
    try:
        return subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise StoreFailed(in_words(error, "The embedded store")) from None


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
    """Whether a store on this machine responds at this endpoint."""
    from http import HTTPStatus
    from http.client import HTTPConnection, HTTPException  # while the store starts

    asking = HTTPConnection(endpoint, timeout=1)
    with suppress(OSError, HTTPException), closing(asking):
        asking.request("GET", "/healthz")
        return asking.getresponse().status == HTTPStatus.OK
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
