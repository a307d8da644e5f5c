"""Before anything starts: refuse invalid settings, and give the volumes to their users.

It runs as root, with three rights only: to look into folders, to change owners and to become
another user. So no service that stays needs root.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from compose import alerts
from compose.passwords import weak
from data.medallion.host.command import run

SHORTEST = {
    "MINIO_ACCESS_KEY": 3,  # MinIO refuses less
    "MINIO_SECRET_KEY": 8,  # likewise
    "DEFAULT_OWNER_PASSWORD": 8,  # Mage refuses less
    "JWT_SECRET": 16,
}
MINIO_USER = 1000
FREE_MIB = 64

PROJECT = Path("/app/data")
VOLUMES = Path("/volumes")


def main() -> int:
    """Print a sentence for each thing that is wrong; the exit status is 1 if there is one."""
    wrong = [
        *weak(os.environ, SHORTEST),
        *alerts.unusable(os.environ),
        *unusable_retention(os.environ),
        *unusable_folders(os.environ),
    ] or [*hand_over(os.environ)]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return int(bool(wrong))


def unusable_retention(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence where it is not said in days for how long Mage keeps its runs."""
    if not settings["MAGE_RETENTION_DAYS"].isdecimal():
        yield "MAGE_RETENTION_DAYS is no whole number of days, or 0 for ever: mend it in .env."


def unusable_folders(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each folder that its service could not use."""
    if wrong := [name for name in ("MAGE_UID", "MAGE_GID") if not settings[name].isdecimal()]:
        for name in wrong:
            yield f"{name} is no number: put what id -u and id -g print into .env."
        return
    user, group = _mage(settings)
    if problem := refused(PROJECT, user, group):
        yield (
            f"./data cannot be written by user {user}, as which Mage runs ({problem}): "
            f"{_remedy(user, group)}."
        )
    for name in ("minio", "mage"):
        free = shutil.disk_usage(VOLUMES / name).free >> 20
        if free < FREE_MIB:
            yield f"The volume {name} has {free} MiB left and needs {FREE_MIB}: free some space."


def hand_over(settings: Mapping[str, str]) -> Iterator[str]:
    """Give the volumes to who uses them; a sentence for each that cannot be given."""
    for name, user, group in (("minio", MINIO_USER, MINIO_USER), ("mage", *_mage(settings))):
        try:
            _give(VOLUMES / name, user, group)
        except OSError as error:
            yield f"The volume {name} cannot be handed to user {user}: {error.strerror}."


def refused(folder: Path, user: int, group: int) -> str:
    """Why a user cannot write into a folder; "" if it can.

    It tries to write, because owner and mode do not tell: Docker Desktop shows root as the owner.
    """
    child = os.fork()
    if child == 0:
        code = errno.EPERM
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            with tempfile.TemporaryFile(dir=folder):
                code = 0
        except OSError as error:
            code = error.errno or code
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return os.strerror(code) if code else ""


def _mage(settings: Mapping[str, str]) -> tuple[int, int]:
    return int(settings["MAGE_UID"]), int(settings["MAGE_GID"])


def _remedy(user: int, group: int) -> str:
    owner = PROJECT.stat()
    # No sentence tells anybody to run Mage as root.
    if owner.st_uid and not refused(PROJECT, owner.st_uid, owner.st_gid):
        return f"put MAGE_UID={owner.st_uid} and MAGE_GID={owner.st_gid} in .env"
    return f"give it that right (sudo chown -R {user}:{group} data; sudo chmod -R u+w data)"


def _give(folder: Path, user: int, group: int) -> None:
    for path in (folder, *folder.rglob("*")):
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (user, group):
            os.chown(path, user, group, follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(run(main))
