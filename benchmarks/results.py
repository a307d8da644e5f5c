"""What the benchmarks found, kept in results.json with the machine that it was found on."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
from typing_extensions import Self

from .measure import Measured

FILE = Path(__file__).with_name("results.json")
VERSIONS = ("mage-ai", "pyarrow", "distributed", "duckdb", "pandas", "pyspark")


@dataclass(frozen=True)
class Result:
    """Seconds and bytes of memory of a job at a size, by round; none where it was ended."""

    job: str
    size: int
    """In rows, pages or locations."""
    seconds: tuple[float, ...]
    memory: tuple[int, ...]
    requests: Mapping[str, int] = field(default_factory=dict)
    """To the store, by what they are for; empty where they were not counted."""
    processor: tuple[float, ...] = ()
    """Processor seconds of the job itself; empty where they were not measured."""
    store: tuple[float, ...] = ()
    """Processor seconds of the store meanwhile; empty where it is not known."""

    @classmethod
    def of(
        cls,
        job: str,
        size: int,
        rounds: Sequence[Measured],
        requests: Mapping[str, int] | None = None,
    ) -> Self:
        """What was measured in some rounds."""
        return cls(
            job,
            size,
            tuple(one.seconds for one in rounds),
            tuple(one.memory for one in rounds),
            requests or {},
            tuple(one.processor for one in rounds),
            tuple(one.store for one in rounds if one.store is not None),
        )

    @property
    def median_seconds(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)

    @property
    def median_megabytes(self) -> float:
        """The median of the rounds, in MB."""
        return statistics.median(self.memory) / 1e6

    @property
    def processors(self) -> tuple[str, ...]:
        """The medians of the job's and the store's processor seconds, empty where not known."""
        both = self.processor, self.store
        return tuple(f"{statistics.median(used):.2f}" if used else "" for used in both)

    def line(self) -> str:
        """For people."""
        if not self.seconds:
            return f"{self.job:18} {self.size:>10,}  ended for its memory"
        rounds = ", ".join(f"{seconds:.1f}" for seconds in self.seconds)
        used = " + ".join(filter(None, self.processors))
        processor = f"  processor {used} s" if used else ""
        return (
            f"{self.job:18} {self.size:>10,} {self.median_seconds:8.2f} s "
            f"{self.median_megabytes:8,.0f} MB  ({rounds}){processor}"
        )


def keep(section: str, found: Sequence[Result], **machine: str) -> None:
    """Keep what a benchmark found in place of what it found before."""
    told = load() if FILE.exists() else {}
    told[section] = {
        "measured": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "machine": _machine() | machine,
        "found": [vars(result) for result in found],
    }
    FILE.write_text(json.dumps(told, indent=1) + "\n")


def load() -> dict[str, Any]:
    """All that is kept: each section's day, machine and results."""
    told: dict[str, Any] = json.loads(FILE.read_text())
    return told


def results(section: dict[str, Any]) -> list[Result]:
    """What a section found."""
    return [Result(**found) for found in section["found"]]


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "store": "MinIO" if "MINIO_ENDPOINT" in os.environ else "the embedded store",
        "python": platform.python_version(),
        "versions": {name: number for name in VERSIONS if (number := _version(name))},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
