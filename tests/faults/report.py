"""The table of docs/reliability.md: what was injected, how often, and how runs ended."""

import platform
from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from sandbox import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
START, END = "<!-- written by make test-faults: start -->\n", "<!-- end -->\n"
ROWS = pytest.StashKey[dict[str, tuple[int, str]]]()
"""Faults to how often each was injected, and how runs ended. A test that loses anything fails."""


def write(rows: Mapping[str, tuple[int, str]], store: str) -> None:
    """Write the table into the document, in place of the one before."""
    made = f"{datetime.now(timezone.utc):%Y-%m-%d}, Python {platform.python_version()}"
    lines = [
        "| fault | times | lost | how the run ends |",
        "|---|---:|---:|---|",
        *(f"| {fault} | {times:,} | nothing | {ends} |" for fault, (times, ends) in rows.items()),
        "",
        f"{sum(times for times, _ in rows.values()):,} faults on {made}, store: {store}.",
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + START + "\n".join(lines) + "\n" + END + after, encoding="utf-8")
