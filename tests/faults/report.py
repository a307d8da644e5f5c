"""The table of docs/reliability.md: what was injected, how often, and how runs ended."""

import os
import platform
from datetime import datetime, timezone

import pytest

from sandbox import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
START, END = "<!-- written by make test-faults: start -->\n", "<!-- end -->\n"


class Table:
    """Writes the table in place of the one before, from what the tests told, also in processes.

    A test that loses anything fails, and then there is no table.
    """

    def __init__(self) -> None:
        self._reports: list[pytest.TestReport] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._reports.append(report)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus:
            return
        made = f"{datetime.now(timezone.utc):%Y-%m-%d}, Python {platform.python_version()}"
        minio = os.environ.get("MINIO_ENDPOINT")
        store = f"MinIO at {minio}" if minio else "the embedded one (SeaweedFS)"
        # Processes end their tests in any order.
        ordered = sorted(self._reports, key=lambda report: (report.location, report.nodeid))
        rows = [(fault, *told) for report in ordered for fault, told in report.user_properties]
        lines = [
            "| fault | times | lost | how the run ends |",
            "|---|---:|---:|---|",
            *(f"| {fault} | {times:,} | nothing | {ends} |" for fault, times, ends in rows),
            "",
            f"{sum(times for _, times, _ in rows):,} faults on {made}, store: {store}.",
        ]
        text = DOCUMENT.read_text(encoding="utf-8")
        before, rest = text.split(START)
        _, after = rest.split(END)
        text = before + START + "\n".join(lines) + "\n" + END + after
        DOCUMENT.write_text(text, encoding="utf-8")
