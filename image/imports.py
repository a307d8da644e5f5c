"""Draw which module of data/breweries imports which; needs Graphviz (`dot`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grimp
import tomli

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
    try:
        subprocess.run(["dot", "-Tsvg", "-o", PICTURE], input=drawing().encode(), check=True)
    except FileNotFoundError:
        print("dot is missing: apt-get install graphviz", file=sys.stderr)
        return 1
    return 0


def imports() -> set[tuple[str, str]]:
    """Each pair of modules of which the first imports the second."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    names = {module: module.removeprefix(f"{PACKAGE}.") for module in graph.modules}
    return {
        (names[module], names[imported])
        for module in graph.modules - {PACKAGE}
        for imported in graph.find_modules_directly_imported_by(module) - {PACKAGE}
    }


def layers() -> list[list[str]]:
    """The modules that stand side by side, as the contract of the imports has them."""
    settings = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in settings["tool"]["importlinter"]["contracts"] if "layers" in c)
    return [layer.split(" | ") for layer in contract["layers"]]


def drawing() -> str:
    """The picture in Graphviz's language."""
    rows = [f"{{rank=same; {'; '.join(layer)}}}" for layer in layers()]
    arrows = [f"{importing} -> {imported}" for importing, imported in sorted(imports())]
    return "\n".join(["digraph {", LOOK, *rows, *arrows, "}"])


if __name__ == "__main__":
    sys.exit(main())
