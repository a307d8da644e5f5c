"""The errors of the sandbox's commands: each names the thing, the reason and the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOT_OURS = "give it to your user again (sudo chown -R your-user .sandbox), or remove it"
_IN_THE_WAY = "something else stands there or in its path: move that away"
_FULL = "free some space there"
_NO_ROOM = "end some programs, or raise the limits of your user"
_REMEDIES = {
    errno.EACCES: _NOT_OURS,
    errno.EPERM: _NOT_OURS,
    errno.EROFS: "work in a folder on a disk that can be written",
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EAGAIN: _NO_ROOM,
    errno.ENOMEM: _NO_ROOM,
    errno.EMFILE: _NO_ROOM,
    errno.ENFILE: _NO_ROOM,
}


class SandboxError(RuntimeError):
    """A command of the sandbox failed; the message says what to do."""


def in_words(error: OSError, thing: object = None) -> str:
    """A sentence about an error of the system, with a remedy.

    Args:
        error: the error.
        thing: what failed, if the error does not say it; by default this machine.
    """
    about = error.filename or thing
    named = f"{about} cannot be used" if about else "This machine cannot go on"
    remedy = _REMEDIES.get(error.errno or 0, "fix that, and try again")
    return f"{named} ({error.strerror or error}): {remedy}."


@contextmanager
def using(thing: Path) -> Iterator[None]:
    """Name a file or folder in the system's errors within this context.

    Raises:
        SandboxError: in place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise SandboxError(in_words(error, thing)) from None
