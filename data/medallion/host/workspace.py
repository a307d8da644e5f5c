"""A run's files on this machine: temporary ones, and atomic writes of the others."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import TemporaryFolderUnusable

LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}
"""The system's errors for a full or read-only disk, or for another user's folder."""


@contextmanager
def workspace() -> Iterator[Path]:
    """A temporary folder, removed when the context ends.

    Raises:
        TemporaryFolderUnusable: the folder cannot be created, or there is no space in it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="medallion-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except (OSError, sqlite3.OperationalError) as error:  # the latter has no code in Python 3.10
        if isinstance(error, OSError) and not _is_ours(error):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise TemporaryFolderUnusable(_where(), reason) from error


def write_whole(file: Path, content: bytes) -> None:
    """Write a file atomically, and its folder if it is missing; OSError if it cannot be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(file)


def _is_ours(error: OSError) -> bool:
    if "No usable temporary directory" in str(error):  # the message of `tempfile`
        return True
    elsewhere = error.filename and not str(error.filename).startswith(_where())
    return error.errno in LOCAL and not elsewhere


def _where() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "of this machine"
