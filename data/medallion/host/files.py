"""Files of this machine, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from .console import tell


def write_whole(file: Path, content: bytes) -> None:
    """Put some content in a file's place, in a folder that is made where it is missing.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(file)


def keep_locally(what: str, file: Path, content: bytes) -> str:
    """Put something that gold has into a folder of this machine; where it is, or "" if nowhere."""
    try:
        write_whole(file, content)
    except OSError as error:
        tell(
            f"The {what} is in gold, but not at {file} ({error.strerror}); give the folder to this "
            "user, or set LAKE_VISUALIZATIONS to another."
        )
        return ""
    return str(file)
