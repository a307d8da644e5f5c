"""What programs are given, and those that are not there: whoever skips a test for want of one says
so, and what brings it.
"""

from __future__ import annotations

import os
import shutil

import pytest

OLD_PYTHON = "this Python is older than 3.11: PYTHON=python3.11 make setup"

# What the make of `make test` hands down.
MAKE = {
    "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "FLOW", "LAKE", "SNAPSHOT", "Q", "AT", "FROM", "TO",
    "FORMAT", "WEB_PORT",
}  # fmt: skip


def environment() -> dict[str, str]:
    """The variables of a user's terminal."""
    return {name: value for name, value in os.environ.items() if name not in MAKE}


def needs(packages: str, *programs: str) -> pytest.MarkDecorator:
    """Skips what needs programs that some packages of Debian bring."""
    missing = [program for program in programs if not shutil.which(program)]
    reason = f"missing {', '.join(missing)}: apt-get install {packages}"
    return pytest.mark.skipif(bool(missing), reason=reason)


needs_chromium = needs("chromium", "chromium")
needs_promtool = needs("prometheus", "promtool")
needs_prometheus = needs(
    "prometheus prometheus-alertmanager",
    *("prometheus", "prometheus-alertmanager", "promtool", "amtool"),
)
