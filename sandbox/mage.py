"""Mage's own command, without lines that are useless here.

    python -m sandbox.mage run data breweries

Mage warns about kernels that a run does not start, and about a library that this project does not
use. If a block fails, its message is the last line; the traceback is in the error log.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from typing import Any

from data.medallion.errors import MedallionError
from data.medallion.host.command import say

LEFT_OUT = {
    "DBT library not installed.",
    "-" * 62,
    "1/1 tests passed.",
    "Pipeline run completed.",
}
"""Lines of Mage's output to leave out."""
UNSIGNED = "Message signing is disabled."
"""A warning about the kernels of Mage's page, which a run does not start."""
UNFORESEEN = (
    "Mage failed unexpectedly; the published versions are whole. Run again, and if it comes "
    "back, report it with the traceback above."
)


def main(arguments: list[str]) -> int:
    """Run a command of Mage in this process; returns its exit status."""
    os.environ.setdefault("SERVER_VERBOSITY", "warning")
    # Else joblib warns about machines without semaphores, such as containers.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    logging.getLogger("traitlets").addFilter(lambda record: UNSIGNED not in record.getMessage())
    sys.stdout = filtered = _Filtered(sys.stdout)
    import typer
    from mage_ai.cli.main import app  # after SERVER_VERBOSITY, because its import reads that

    if arguments[:1] == ["start"]:
        _without_completions()

    try:
        typer.main.get_command(app)(arguments, prog_name="mage", standalone_mode=False)
    except MedallionError:
        return 1  # the block has printed the error
    except Exception:
        traceback.print_exc()
        say(UNFORESEEN)
        return 1
    finally:
        filtered.end()
    return 0


def _without_completions() -> None:
    """Empty the lists of Mage's own modules, whose names the editor's page would complete.

    It imports them by their paths in .venv, which fails with a traceback for each.
    """
    from mage_ai.autocomplete import utils

    utils.PATHS_TO_TRAVERSE.clear()
    utils.FILES_TO_READ.clear()


class _Filtered:
    """A stream that omits some lines."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line not in LEFT_OUT:
                self._stream.write(f"{line}\n")
        return len(text)

    def end(self) -> None:
        """Write the rest of an unfinished line."""
        self._stream.write(self._begun)
        self.flush()

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
