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
    """A temporary folder, for the context; TemporaryFolderUnusable if there is no space for it."""
    try:
        with tempfile.TemporaryDirectory(prefix="medallion-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except (OSError, sqlite3.OperationalError) as error:  # the latter has no code in Python 3.10
        where = tempfile.tempdir  # None if this machine has no folder for it
        if isinstance(error, OSError) and where:
            elsewhere = error.filename and not str(error.filename).startswith(where)
            if error.errno not in LOCAL or elsewhere:
                raise
        reason = getattr(error, "strerror", None) or str(error)
        raise TemporaryFolderUnusable(where or "of this machine", reason) from error


def write_whole(file: Path, content: bytes) -> None:
    """Write a file atomically, and its folder if it is missing; OSError if it cannot be written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(file)
