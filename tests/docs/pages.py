"""The documents, read once: their code, names, links and headings. A new one is found by itself."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)

PORTUGUESE = ".pt-BR"
GUIDE = "docs/make-it-yours.md"
"""A test follows it word by word; it speaks of a flow that is not here."""
PROGRAMS = r"(apt-get|docker-compose|git|mage|make|mc|pip|python|\.venv/bin/(?:mage|python)) "


class Block(NamedTuple):
    language: str
    text: str


@dataclass(frozen=True)
class Page:
    path: Path
    text: str

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def original(self) -> str:
        """The path of the English page, of which this one may be a translation."""
        return str(self).replace(PORTUGUESE, "")

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(language, dedent(text)) for _, language, text in FENCED.findall(self.text)]

    @cached_property
    def prose(self) -> str:
        return FENCED.sub("", self.text)

    @cached_property
    def names(self) -> list[str]:
        """What stands in backticks, each on one line."""
        return [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", self.prose)]

    @cached_property
    def links(self) -> list[str]:
        """Where its links and pictures lead to, on this side of the web."""
        targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]+`", "", self.prose))
        return [target for target in targets if not re.match(r"\w+:", target)]

    @cached_property
    def anchors(self) -> set[str]:
        return anchors(self.prose)

    def section(self, heading: str) -> str:
        """What stands under a heading, down to the next one."""
        _, _, rest = self.text.partition(f"# {heading}\n")
        assert rest, f"{self} has no {heading}"
        return re.split(r"^#", rest, maxsplit=1, flags=re.MULTILINE)[0]


def anchors(text: str) -> set[str]:
    """Those of a text's headings, as GitHub makes them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w -]", "", shown).strip().lower().replace(" ", "-")
        found[slug] = found.get(slug, 0) + 1
    return {f"{slug}-{n}" if n else slug for slug, times in found.items() for n in range(times)}


def table(text: str) -> list[list[str]]:
    """The cells of the first table of a text, without its head."""
    found = re.search(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    assert found, "no table"
    lines = found.group().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def is_command(name: str) -> bool:
    """Whether what stands in backticks is a command."""
    return bool(re.match(PROGRAMS, name))


def named(cell: str) -> list[str]:
    """The names in backticks of a table's cell."""
    return re.findall(r"`([^`]+)`", cell)


def page(path: str) -> Page:
    (found,) = (page for page in PAGES if str(page) == path)
    return found


PAGES = [
    Page(path, path.read_text(encoding="utf-8"))
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
]
