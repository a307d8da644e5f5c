"""docs/performance.md and its picture, from the figures that the benchmarks found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from image.words import KEY, digest

from .job import ON_MINIO
from .locations import PARTITION
from .results import Result, load, results
from .rivals.with_duckdb import MEMORY_LIMIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
TEMPLATE = Path(__file__).with_name("performance.md.template")
PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "image" / "performance.png"
NAMES = {
    "breweries": "this pipeline",
    ON_MINIO: "this pipeline on MinIO",
    "plain_duckdb": "plain DuckDB",
    "duckdb": "DuckDB",
    "pandas": "pandas",
    "spark": "PySpark",
}
COLOURS = {
    "breweries": "#b45309",
    ON_MINIO: "#e5a54b",
    "plain_duckdb": "#7c3aed",
    "duckdb": "#475569",
    "pandas": "#94a3b8",
    "spark": "#0f766e",
}
PLAIN = (
    "*Plain DuckDB* is the script that most people would write (`with_plain_duckdb.py`): it trims "
    "and counts, and leaves out NFC, invisible characters, aliases, bounds, duplicates and "
    "rejected rows, so it counts otherwise. "
)
EMBEDDED = "Where MinIO is not named, this pipeline's store is the embedded one. "
EXTRACTION = {"breweries": "this pipeline's crawl", "loop": "a loop over the pages"}
OVERHEAD = {"empty": "four empty blocks", "breweries": "this pipeline"}
CLUSTER = {"0": "this machine", "1": "a cluster of one worker", "2": "a cluster of two workers"}
CONNECTIONS, PAGE_SECONDS = 4, 0.1
WRITTEN = f"write {PARTITION}"
LABEL_POINTS = 13  # the height of a name
BLOCKS = {"transform": "clean to silver", "check": "check silver", "aggregate": "count to gold"}
SECTIONS = ("scale", "stages", "extraction", "overhead", "locations", "cluster")


def main() -> None:
    """Write the page and the picture."""
    found = load()
    PAGE.write_text(page(found), encoding="utf-8")
    picture(results(found["scale"]), PICTURE)
    print(f"Wrote {PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


def page(found: dict[str, Any]) -> str:
    """The page."""
    scale, stages, extraction, overhead, locations, cluster = (
        results(found[name]) for name in SECTIONS
    )
    machine = _machine(found["scale"])
    figures = {
        "machine": machine,
        **{f"{name}_measured": _measured(found[name], machine) for name in SECTIONS},
        **_scale(scale),
        **_stages(stages),
        **_extraction(extraction),
        **_overhead(overhead),
        **_locations(locations),
        "cluster": _table(
            ("rows", "on", "rounds", "seconds", "peak memory, MB"),
            ((f"{one.size:,}", CLUSTER[one.job], *_rounds(one)) for one in cluster),
        ),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(figures)


def picture(found: list[Result], target: Path) -> None:
    """Seconds and memory against rows, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    titles = {"median_seconds": "Seconds, bronze to gold", "median_megabytes": "Peak memory, MB"}
    for axes, (value, title) in zip(figure.subplots(1, 2), titles.items(), strict=True):
        ends = []
        for job, name in NAMES.items():
            points = [(r.size, getattr(r, value)) for r in found if r.job == job and r.seconds]
            if points:
                width = 2.6 if job == "breweries" else 1.6
                axes.plot(*zip(*points, strict=True), "o-", color=COLOURS[job], linewidth=width)
                ends.append((points[-1], name, COLOURS[job]))
        axes.set(xscale="log", yscale="log", xlabel="rows")
        axes.set_title(title, loc="left")
        axes.margins(x=0.2)
        axes.set_xticks(sorted({r.size for r in found}))
        axes.minorticks_off()
        axes.xaxis.set_major_formatter(lambda rows, _: _short(rows))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(color="#e2e8f0")
        axes.spines[["top", "right"]].set_visible(False)
        _name_lines(axes, ends)
    figure.savefig(target, dpi=140, metadata={"Software": None, KEY: digest(PICTURE.name)})


def _name_lines(axes: Axes, ends: Sequence[tuple[tuple[float, float], str, str]]) -> None:
    """Write each line's name at its end, those of one place above each other."""
    tops: dict[float, float] = {}  # in points
    last = max(x for (x, _), *_ in ends)
    for (x, y), name, colour in sorted(ends):
        height = axes.transData.transform((x, y))[1] * 72 / axes.figure.dpi
        tops[x] = max(height, tops.get(x, 0) + LABEL_POINTS)
        # Right of the end of a shorter line, other lines pass.
        place, align = ((8, tops[x] - height), "left") if x == last else ((10, 9), "right")
        axes.annotate(
            name, (x, y), place, textcoords="offset points", va="center", ha=align, color=colour
        )


def _short(rows: float) -> str:
    return f"{rows / 1e6:.1f} M" if rows >= 1e6 else f"{rows / 1e3:.0f} k"


def _measured(section: dict[str, Any], usual: str) -> str:
    own = _machine(section)
    where = "" if own == usual else f" on {own}"
    store = section["machine"].get("store", "the embedded store")
    return f"Measured {section['measured']}{where}, with {store}."


def _machine(section: dict[str, Any]) -> str:
    machine = section["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    on = f"{machine['cores']} cores and {machine['memory_gb']} GB"
    return f"{on}, with Python {machine['python']}, {versions}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], text: int = 1) -> str:
    titles = list(head)
    lines = [titles, ["---:" if place != text else "---" for place in range(len(titles))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rounds(result: Result) -> tuple[str, str, str]:
    """Rounds, seconds and megabytes of a result, as a table has them."""
    if not result.seconds:
        return "1", "", "more than 12,000: ended"
    memory = f"{result.median_megabytes:,.0f}" if result.memory else ""
    return str(len(result.seconds)), f"{result.median_seconds:.2f}", memory


def _scale(found: list[Result]) -> dict[str, str]:
    ours = {one.size: one for one in found if one.job == "breweries"}

    def beside(one: Result) -> str:
        """How long this pipeline takes, as a multiple of how long that takes."""
        if not one.seconds or one.job == "breweries":
            return ""
        return f"{ours[one.size].median_seconds / one.median_seconds:.2f}"

    jobs = {one.job for one in found}
    middle, large = (ours[size] for size in sorted(ours)[-2:])
    return {
        "scale": _table(
            (
                *("rows", "job", "rounds", "seconds", "peak memory, MB"),
                *("processor, s", "the store's, s", "ours / that, in time"),
            ),
            (
                (f"{one.size:,}", NAMES[one.job], *_rounds(one), *one.processors, beside(one))
                for one in found
            ),
        ),
        "duckdb_limit": MEMORY_LIMIT.replace("MB", " MB"),
        "embedded": EMBEDDED if ON_MINIO in jobs else "",
        "plain": PLAIN if "plain_duckdb" in jobs else "",
        "middle": f"{middle.size:,}",
        "large": f"{large.size:,}",
        "growth": f"{large.median_megabytes / middle.median_megabytes:.2f}",
    }


def _stages(found: list[Result]) -> dict[str, str]:
    seconds = {one.job: one.median_seconds for one in found}
    total = sum(seconds.values())
    rows = ((name, f"{1000 * s:.0f}", f"{100 * s / total:.0f}") for name, s in seconds.items())
    return {
        "range_records": f"{found[0].size:,}",
        "stages": _table(("stage", "milliseconds", "% of them"), rows, text=0),
    }


def _extraction(found: list[Result]) -> dict[str, str]:
    ours = min((one for one in found if one.job == "breweries"), key=lambda one: one.size)
    bound = ours.size / CONNECTIONS * PAGE_SECONDS
    return {
        "extraction": _table(
            ("pages", "by", "rounds", "seconds", "peak memory, MB"),
            ((f"{one.size:,}", EXTRACTION[one.job], *_rounds(one)) for one in found),
        ),
        "pages": f"{ours.size:,}",
        "bound": f"{bound:.1f}",
        "beyond": f"{ours.median_seconds / bound:.2f}",
    }


def _overhead(found: list[Result]) -> dict[str, str]:
    empty, full = found
    return {
        "overhead": _table(
            ("rounds", "pipeline", "seconds"),
            ((_rounds(one)[0], OVERHEAD[one.job], _rounds(one)[1]) for one in found),
        ),
        "breweries": f"{full.size:,}",
        "added": f"{full.median_seconds - empty.median_seconds:.2f}",
        "times": f"{full.median_seconds / empty.median_seconds:.2f}",
    }


def _locations(found: list[Result]) -> dict[str, str]:
    objects = {one.size: one.requests[WRITTEN] for one in found if WRITTEN in one.requests}
    breweries = [one for one in found if one.size == found[0].size]
    purposes = sorted({purpose for one in breweries for purpose in one.requests})
    total = sum(sum(one.requests.values()) for one in breweries)
    return {
        "locations": _table(
            ("locations", "block", "seconds", "peak memory, MB", "requests"),
            (
                (
                    f"{objects[one.size]:,}",
                    BLOCKS[one.job],
                    *_rounds(one)[1:],
                    f"{sum(one.requests.values()):,}",
                )
                for one in found
            ),
        ),
        "requests": _table(
            ("to", *(BLOCKS[one.job] for one in breweries)),
            (
                (purpose, *(f"{one.requests.get(purpose, 0):,}" for one in breweries))
                for purpose in purposes
            ),
            text=0,
        ),
        "all_requests": f"{total:,}",
        "breweries_locations": f"{objects[found[0].size]:,}",
    }


if __name__ == "__main__":
    main()
