"""A page in Portuguese has the commands, names, links, headings and tables of the English one."""

import re

import pytest

from tests.docs.pages import PAGES, PORTUGUESE, Page, page

TRANSLATED = [p for p in PAGES if PORTUGUESE in p.path.name]
ENDS_BEFORE = {
    "docs/lake.pt-BR.md": "\n## The manifest\n",
    "docs/monitoring.pt-BR.md": "\n## The metrics\n",
    "docs/reliability.pt-BR.md": "\n## How it is kept\n",
    "docs/running.pt-BR.md": "\n## In Mage's page\n",
}
"""Where the part of the English page ends that is translated; all of it, where nothing is said."""


def english(translated: Page) -> Page:
    whole = page(translated.original)
    end = ENDS_BEFORE.get(str(translated))
    return Page(whole.path, whole.text.partition(end)[0] + "\n" if end else whole.text)


def headings(p: Page) -> list[str]:
    return re.findall(r"^(#+) ", p.prose, re.MULTILINE)


def links(p: Page) -> list[str]:
    """The files that its links lead to, in whatever language; but for those to the page itself."""
    found = [link.partition("#")[0].replace(PORTUGUESE, "") for link in p.links]
    return sorted(link for link in found if link not in ("", p.path.name.replace(PORTUGUESE, "")))


def tables(p: Page) -> list[tuple[int, list[str]]]:
    """Each row's number of cells, and the names in it."""
    rows = re.findall(r"^\|.*\|$", p.prose, re.MULTILINE)
    return [(row.count(" | "), sorted(re.findall(r"`[^`]+`", row))) for row in rows]


@pytest.mark.parametrize("translated", TRANSLATED, ids=str)
@pytest.mark.parametrize(
    "what", [lambda p: p.blocks, lambda p: set(p.names), headings, links, tables]
)
def test_a_page_has_in_portuguese_what_it_has_in_english(translated, what):
    assert what(translated) == what(english(translated))


@pytest.mark.parametrize("translated", TRANSLATED, ids=str)
def test_each_language_leads_to_the_other(translated):
    whole = page(str(english(translated)))
    assert translated.path.name in whole.links and whole.path.name in translated.links


def test_what_a_newcomer_needs_first_is_there_in_portuguese():
    names = {p.original for p in TRANSLATED}
    pages = ("lake", "make-it-yours", "monitoring", "reliability", "running", "settings")
    assert names == {"README.md", *(f"docs/{name}.md" for name in pages)}
