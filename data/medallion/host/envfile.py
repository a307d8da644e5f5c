"""Files of settings, such as `.env`: one NAME=value per line, in UTF-8."""

from __future__ import annotations

import io
import os
from pathlib import Path

from ..errors import SettingsFileUnreadable

PROJECT = Path(__file__).resolve().parents[2]  # the Mage project, data/, or the installed package
CHECKOUT = (PROJECT / "metadata.yaml").exists()  # no part of the package
DOTENV = PROJECT.parent / ".env" if CHECKOUT else Path(".env")
"""The file of settings: next to docker-compose.yml, or for a reader, in the working directory."""


def environment() -> dict[str, str]:
    """As `read_envfile` of `.env`, with the environment, which wins; without empty values."""
    found = {**read_envfile(DOTENV), **os.environ}
    return {name: value for name, value in found.items() if value}


def read_envfile(file: Path) -> dict[str, str]:
    """Read the settings of a file, without interpolation; none if the file does not exist.

    Raises:
        SettingsFileUnreadable: the file is not UTF-8 text, or this user may not read it.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = f"line {line} is not UTF-8"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    else:
        from dotenv import dotenv_values  # most commands of a clone have no such file to read

        found = dotenv_values(stream=io.StringIO(text), interpolate=False)
        return {name: value for name, value in found.items() if value is not None}
    # Outside the `except`, so that no traceback contains the content of the file.
    raise SettingsFileUnreadable(str(file), problem)
