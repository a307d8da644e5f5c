"""Before anything starts: refuse settings that cannot be, and hand the volumes to who uses them.

Runs as root with the rights to look into folders and to change owners, and no other, so that no
service that stays needs root.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from compose import alerts
from compose.passwords import weak
from data.breweries.command import run

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
    ]
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return int(bool(wrong))


def unusable_retention(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence where it is not said in days for how long Mage keeps its runs."""
    if not settings["MAGE_RETENTION_DAYS"].isdecimal():
        yield "MAGE_RETENTION_DAYS is no whole number of days, or 0 for ever: mend it in .env."


def unusable_folders(settings: Mapping[str, str]) -> Iterator[str]:
    """Hand over the volumes; a sentence for each folder that its service could not use."""
    user, group = int(settings["MAGE_UID"]), int(settings["MAGE_GID"])
    owner = PROJECT.stat()
    if user not in (0, owner.st_uid) and not _open_to(owner, user, group):
        yield (
            f"./data belongs to user {owner.st_uid} and Mage runs as user {user}, who cannot write "
            f"there: put MAGE_UID={owner.st_uid} and MAGE_GID={owner.st_gid} in .env."
        )
    for name, uid, gid in (("minio", MINIO_USER, MINIO_USER), ("mage", user, group)):
        free = shutil.disk_usage(VOLUMES / name).free >> 20
        if free < FREE_MIB:
            yield f"The volume {name} has {free} MiB left and needs {FREE_MIB}: free some space."
        try:
            _hand_over(VOLUMES / name, uid, gid)
        except OSError as error:
            yield f"The volume {name} cannot be handed to user {uid}: {error.strerror}."


def _open_to(folder: os.stat_result, user: int, group: int) -> bool:
    return bool(folder.st_mode & 0o002 or (folder.st_gid == group and folder.st_mode & 0o020))


def _hand_over(folder: Path, user: int, group: int) -> None:
    for path in (folder, *folder.rglob("*")):
        found = path.lstat()
        if (found.st_uid, found.st_gid) != (user, group):
            os.chown(path, user, group, follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(run(main))
