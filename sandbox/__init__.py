"""Local stand-ins of the outside world: an embedded object store and local APIs."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SANDBOX = ROOT / ".sandbox"
"""The folder of what the sandbox keeps between commands."""


def default_flow() -> str:
    """The flow of a command that names none: FLOW in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return str(re.findall(r"^FLOW \?= *(\w*)", makefile, re.MULTILINE)[0])
