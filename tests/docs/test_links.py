"""Every link leads somewhere: to a file, to a heading, to a port that something listens on."""

import re

import pytest

from tests.docs.code import CODE, COMPOSE
from tests.docs.pages import PAGES, ROOT, anchors


def leads_somewhere(link, folder):
    path, _, anchor = link.partition("#")
    target = folder / path
    if anchor:
        return target.is_file() and anchor in anchors(target.read_text(encoding="utf-8"))
    return target.exists()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page):
    for link in page.links:
        local = link if not link.startswith("#") else f"{page.path.name}{link}"
        assert leads_somewhere(local, page.path.parent), link


def test_every_document_that_the_code_names_is_there():
    for path, text in CODE.items():
        for link in re.findall(r"\bdocs/[\w/.-]+\.md(?:#[\w-]+)?", text):
            assert leads_somewhere(link, ROOT), (path, link)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_address_of_this_machine_is_a_port_of_the_stack(page):
    published = set(re.findall(r"127\.0\.0\.1:\$\{\w+:-(\d+)\}", COMPOSE))
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", page.text)) <= published


def test_anchors_are_those_of_github():
    text = "# A `name`, and [more](x.md): it's\n## Over à Ção\n### Twice\n### Twice\n"
    assert anchors(text) == {"a-name-and-more-its", "over-à-ção", "twice", "twice-1"}
