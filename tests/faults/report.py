"""The table of docs/reliability.md: what was injected, how often, and what was lost."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
START, END = "<!-- written by make test-faults: start -->\n", "<!-- end -->\n"


@dataclass
class Tally:
    """Rows of the table, by fault: times injected, things lost, how the runs ended."""

    rows: dict[str, tuple[int, int, str]] = field(default_factory=dict)

    def add(self, fault: str, times: int, lost: int, ends: str) -> None:
        """Count a fault that was injected some times; the same fault again adds up."""
        before_times, before_lost, _ = self.rows.get(fault, (0, 0, ""))
        self.rows[fault] = (before_times + times, before_lost + lost, ends)


TALLY = pytest.StashKey[Tally]()


def write(tally: Tally, store: str) -> None:
    """Write the table into the document, in place of the one before."""
    made = f"{datetime.now(timezone.utc):%Y-%m-%d}, Python {platform.python_version()}"
    times = sum(times for times, _, _ in tally.rows.values())
    lines = [
        "| fault | times | lost | how the run ends |",
        "|---|---:|---:|---|",
        *(
            f"| {fault} | {times:,} | {lost or 'nothing'} | {ends} |"
            for fault, (times, lost, ends) in tally.rows.items()
        ),
        "",
        f"{times:,} faults on {made}, store: {store}.",
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    DOCUMENT.write_text(before + START + "\n".join(lines) + "\n" + END + after, encoding="utf-8")
