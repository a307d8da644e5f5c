"""A run's temporary files on this machine, and a sentence if they cannot be written."""

from __future__ import annotations

import errno
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import TemporaryFolderUnusable

PREFIX = "medallion-"
LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}
"""What the system says of a disk that takes nothing more, or of a folder that is another's."""


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for temporary files, gone when the context ends.

    Raises:
        TemporaryFolderUnusable: there is no such folder, or no space in it.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        if not _is_ours(error):
            raise
        reason = error.strerror or str(error)
    except sqlite3.OperationalError as error:  # it has no code before Python 3.11
        reason = str(error)
    else:
        return
    raise TemporaryFolderUnusable(_where(), reason)


def _is_ours(error: OSError) -> bool:
    if "No usable temporary directory" in str(error):  # as `tempfile` says it
        return True
    elsewhere = error.filename and not str(error.filename).startswith(_where())
    return error.errno in LOCAL and not elsewhere


def _where() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "of this machine"
