"""Mage's own command for a run, without the lines that mean nothing here.

    python -m sandbox.mage run data breweries

Mage warns of kernels that a run does not start, and of a library that this project does not use.
Where a block failed, its sentence is the last line: the traceback is in the error log.
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
"""Whole lines of Mage's output."""
UNSIGNED = "Message signing is disabled."
"""Of the kernels of Mage's page, which a run does not start."""
UNFORESEEN = (
    "Mage failed in a way that was not foreseen; what was published before is whole. Run again, "
    "and if it comes back, report it with the traceback above."
)


def main(arguments: list[str]) -> int:
    """Run a command of Mage in this process; its exit status."""
    os.environ.setdefault("SERVER_VERBOSITY", "warning")
    # Else it warns of a machine without semaphores, such as a container; Mage starts no processes.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    logging.getLogger("traitlets").addFilter(lambda record: UNSIGNED not in record.getMessage())
    sys.stdout = filtered = _Filtered(sys.stdout)
    import typer
    from mage_ai.cli.main import app  # after SERVER_VERBOSITY, which it reads at import

    try:
        typer.main.get_command(app)(arguments, prog_name="mage", standalone_mode=False)
    except MedallionError:
        return 1  # its block told it
    except Exception:
        traceback.print_exc()
        say(UNFORESEEN)
        return 1
    finally:
        filtered.end()
    return 0


class _Filtered:
    """A stream that leaves some whole lines out."""

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
        """Write what is left of a line."""
        self._stream.write(self._begun)
        self.flush()

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
