"""Draw the two packages of `data/` and their imports; needs Graphviz (`tred` and `dot`).

A box is a subpackage, or a module that is in none. In a subpackage, a module imports from the lines
below its own, never from a line above or from its own line.
"""

from __future__ import annotations

import ast
import html
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "image" / "imports.svg"
MACHINERY, FLOW = "data.medallion", "data.breweries"
PACKAGES = {
    FLOW: ("data/breweries/", "all that there is to say about one dataset", "#fdf3dc", 21),
    MACHINERY: ("data/medallion/", "the machinery, which knows no dataset", "#eef3fa", 38),
}
"""Each package to its name, its purpose, its colour, and the characters of a line in its boxes."""

BLOCKS = "Mage's blocks"
BLOCK_FOLDERS = ("data_loaders", "transformers", "data_exporters")
LOOK = """
  rankdir=TB; ranksep=0.5; nodesep=0.28; bgcolor=white; compound=true;
  fontname="Helvetica,Arial,sans-serif"; labeljust=l;
  node [shape=plain fontname="Helvetica,Arial,sans-serif" fontsize=12];
  edge [color="#8391a5" arrowsize=0.7];
"""


def main() -> int:
    """Write the picture; the exit status is 1 where Graphviz is missing."""
    if not shutil.which("dot"):
        print("dot is missing: apt-get install graphviz", file=sys.stderr)
        return 1
    # What is imported by way of another box anyway needs no arrow of its own.
    reduced = subprocess.run(["tred"], input=drawing().encode(), stdout=subprocess.PIPE, check=True)
    subprocess.run(["dot", "-Tsvg", "-o", PICTURE], input=reduced.stdout, check=True)
    return 0


@cache
def graph() -> grimp.ImportGraph:
    """The imports of all modules of the Mage project."""
    return grimp.build_graph("data", cache_dir=None)


def imports() -> set[tuple[str, str]]:
    """Each pair of boxes of which the first imports the second."""
    pairs = {
        (box(module), box(imported))
        for package in PACKAGES
        for module in graph().find_descendants(package)
        for imported in graph().find_modules_directly_imported_by(module)
    }
    pairs |= set(_imports_of_blocks())
    return {(one, other) for one, other in pairs if other and one != other}


def box(module: str) -> str:
    """A module's box: its subpackage, or itself; "" if it is in neither package."""
    names = module.split(".")
    return ".".join(names[1:3]) if ".".join(names[:2]) in PACKAGES and len(names) > 2 else ""


def _imports_of_blocks() -> Iterator[tuple[str, str]]:
    """What Mage's blocks import; they are in no package themselves."""
    for folder in BLOCK_FOLDERS:
        for file in (ROOT / "data" / folder).glob("*.py"):
            for found in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(found, ast.ImportFrom) and (found.module or "").startswith("data."):
                    name = found.module or ""
                    yield BLOCKS, box(name) or box(f"{name}.{found.names[0].name}")


def drawing() -> str:
    """The picture in Graphviz's language."""
    about = f"a dozen lines each, in {', '.join(f'{name}/' for name in BLOCK_FOLDERS)}"
    lines = ["digraph {", LOOK, f'"{BLOCKS}" [label={_label(BLOCKS, about, [], 44)}];']
    for package, (name, purpose, colour, width) in PACKAGES.items():
        boxes = sorted(graph().find_children(package))
        lines += [
            f'subgraph "cluster {package}" {{',
            f'label=<<B>{name}</B>: {purpose}>; style="filled,rounded"; fillcolor="{colour}";',
            f'color="{colour}"; margin=14; fontsize=15;',
            *(f'"{box(one)}" [label={_label(*_told(one), width)}];' for one in boxes),
            "}",
        ]
    lines += [f'"{one}" -> "{other}";' for one, other in sorted(imports())]
    return "\n".join([*lines, "}"])


def _told(module: str) -> tuple[str, str, list[list[str]]]:
    """A box's title, what it is for, and the lines of its modules."""
    name = module.rpartition(".")[2]
    path = ROOT / module.replace(".", "/")
    inside = graph().find_children(module)
    file = path / "__init__.py" if inside else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    title = f"{name}/" if inside else f"{name}.py"
    return title, docstring.partition("\n")[0], _lines(module)


def _lines(package: str) -> list[list[str]]:
    """The modules of a subpackage, in lines: each imports only from lines below its own."""
    modules = {m for m in graph().find_descendants(package) if not graph().find_children(m)}

    @cache
    def height(module: str) -> int:
        below = graph().find_modules_directly_imported_by(module) & modules
        return max(map(height, below), default=-1) + 1

    lines: list[list[str]] = [[] for _ in range(max(map(height, modules), default=-1) + 1)]
    for module in sorted(modules):
        lines[height(module)].append(module.removeprefix(f"{package}.").replace(".", "/"))
    return lines[::-1]


def _label(title: str, purpose: str, lines: list[list[str]], width: int) -> str:
    """A box as a table."""
    told = "<BR/>".join(map(html.escape, textwrap.wrap(purpose, width)))
    rows = [f"<B>{title}</B>", f'<FONT POINT-SIZE="10" COLOR="#57606a">{told}</FONT>']
    for names in lines:
        cells = "".join(f'<TD BGCOLOR="#dbe6f5">{name}</TD>' for name in names)
        rows.append(f'<TABLE BORDER="0" CELLSPACING="3" CELLPADDING="3"><TR>{cells}</TR></TABLE>')
    table = 'BORDER="1" COLOR="#4c72b0" BGCOLOR="white" STYLE="ROUNDED" CELLBORDER="0"'
    inside = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE {table} CELLSPACING="0" CELLPADDING="6">{inside}</TABLE>>'


if __name__ == "__main__":
    sys.exit(main())
