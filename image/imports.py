"""Draw which module of data/breweries imports which; needs Graphviz (`tred` and `dot`)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "image" / "imports.svg"
PACKAGE = "data.breweries"
LOOK = """
  rankdir=TB; ranksep=0.55; nodesep=0.3; bgcolor=white;
  node [shape=box style="rounded,filled" fillcolor="#eef3fa" color="#4c72b0" fontname="sans-serif"
        fontsize=13 height=0.35 margin="0.14,0.05"];
  edge [color="#9aa7b8" arrowsize=0.6];
"""


def main() -> int:
    """Write the picture; the exit status is 1 where Graphviz is missing."""
    if not shutil.which("dot"):
        print("dot is missing: apt-get install graphviz", file=sys.stderr)
        return 1
    # What is imported by way of another module anyway needs no arrow of its own.
    reduced = subprocess.run(["tred"], input=drawing().encode(), stdout=subprocess.PIPE, check=True)
    subprocess.run(["dot", "-Tsvg", "-o", PICTURE], input=reduced.stdout, check=True)
    return 0


def imports() -> set[tuple[str, str]]:
    """Each pair of modules of which the first imports the second."""
    graph = grimp.build_graph("data", cache_dir=None)
    inside = graph.find_children(PACKAGE)
    return {
        (module.removeprefix(f"{PACKAGE}."), imported.removeprefix(f"{PACKAGE}."))
        for module in inside
        for imported in graph.find_modules_directly_imported_by(module) & inside
    }


def drawing() -> str:
    """The picture in Graphviz's language."""
    arrows = [f"{importing} -> {imported}" for importing, imported in sorted(imports())]
    return "\n".join(["digraph {", LOOK, *arrows, "}"])


if __name__ == "__main__":
    sys.exit(main())
