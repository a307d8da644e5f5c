"""The figures that the benchmarks found, and docs/performance.md made from them."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "image" / "performance.png"
NAMES = {"breweries": "this pipeline", "duckdb": "DuckDB", "pandas": "pandas", "spark": "PySpark"}
COLOURS = {"breweries": "#b45309", "duckdb": "#475569", "pandas": "#94a3b8", "spark": "#0f766e"}
VERSIONS = ("duckdb", "pandas", "pyarrow", "pyspark")


@dataclass(frozen=True)
class Result:
    """Seconds and bytes of memory of a job at a size, by round; none where it failed."""

    job: str
    size: int
    """In rows, or in pages."""
    seconds: tuple[float, ...]
    memory: tuple[int, ...]

    @property
    def median_seconds(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.seconds)

    @property
    def median_megabytes(self) -> float:
        """The median of the rounds, in MB."""
        return statistics.median(self.memory) / 1e6

    def line(self) -> str:
        """For people."""
        if not self.seconds:
            return f"{self.job:10} {self.size:>10,}  ended for its memory"
        rounds = ", ".join(f"{seconds:.1f}" for seconds in self.seconds)
        return (
            f"{self.job:10} {self.size:>10,} {self.median_seconds:8.2f} s "
            f"{self.median_megabytes:8,.0f} MB  ({rounds})"
        )


def add(section: str, found: Any) -> None:
    """Keep what a benchmark found, with the machine and the day."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[section] = {"measured": f"{datetime.now(timezone.utc):%Y-%m-%d}", "found": found}
    results["machine"] = _machine()
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def page(results: dict[str, Any]) -> str:
    """docs/performance.md."""
    machine = results["machine"]
    parts = [
        "# Performance\n",
        "Written by `make bench` from `benchmarks/results.json`; do not edit. Measured on a machine"
        f" with {machine['cores']} cores and {machine['memory_gb']} GB, Python {machine['python']},"
        f" {', '.join(f'{name} {number}' for name, number in machine['versions'].items())}. It is"
        " noisy: trust the ratios more than the seconds.\n",
    ]
    parts += [write(results[name]) for name, write in SECTIONS.items() if name in results]
    return "\n".join(parts)


def picture(results: dict[str, Any], target: Path) -> None:
    """Seconds and memory against rows, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, 2)
    found = _results(results["scale"])
    titles = "Seconds from bronze to gold", "Peak memory, MB"
    for axes, title, value in zip(
        panels, titles, ("median_seconds", "median_megabytes"), strict=True
    ):
        for job, name in NAMES.items():
            points = [(r.size, getattr(r, value)) for r in found if r.job == job and r.seconds]
            if points:
                width = 2.6 if job == "breweries" else 1.6
                rows, values = zip(*points, strict=True)
                axes.plot(rows, values, "o-", color=COLOURS[job], linewidth=width, label=name)
                axes.annotate(
                    name, points[-1], (8, 0), textcoords="offset points", va="center",
                    color=COLOURS[job],
                )  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="rows")
        axes.set_title(title, loc="left")
        axes.margins(x=0.18)
        axes.xaxis.set_major_formatter(lambda rows, _: f"{rows:,.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        axes.grid(color="#e2e8f0")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=140, metadata={"Software": None})


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
    }


def _results(section: dict[str, Any]) -> list[Result]:
    return [Result(**found) for found in section["found"]]


def _scale(section: dict[str, Any]) -> str:
    found = _results(section)
    lines = [
        "## Bronze to gold, beside what a user would pick instead\n",
        "The same bronze object, multiplied by the sandbox (new ids, same dirt); the same cleaning,"
        " partitioned zstd Parquet, and count. The rivals read and write the local disk; this"
        " pipeline a store on loopback, with its manifests, checks, comparison and logs. Each job"
        " is a process of its own; seconds from its start to its end, memory of it and its children"
        " (proportional set size; the store's not counted), medians of the rounds. All counted the"
        f" same, or this would not have been written. Measured {section['measured']}.\n",
        "| rows | job | rounds | seconds | beside DuckDB | peak memory, MB |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    duckdb = {one.size: one for one in found if one.job == "duckdb" and one.seconds}
    for one in found:
        if not one.seconds:
            lines.append(f"| {one.size:,} | {NAMES[one.job]} | 0 | ended at 12 GB | | |")
            continue
        beside = (
            f"{one.median_seconds / duckdb[one.size].median_seconds:.2f}"
            if one.size in duckdb
            else ""
        )
        lines.append(
            f"| {one.size:,} | {NAMES[one.job]} | {len(one.seconds)} | {one.median_seconds:.1f} "
            f"| {beside} | {one.median_megabytes:,.0f} |"
        )
    lines.append("\n![Seconds and memory against rows](../image/performance.png)\n")
    return "\n".join(lines)


SECTIONS = {"scale": _scale}


def main() -> None:
    """Write the page and the picture."""
    results = json.loads(RESULTS.read_text())
    PAGE.write_text(page(results))
    picture(results, PICTURE)
    print(f"Wrote {PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
