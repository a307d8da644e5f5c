"""The page of what a lake holds, in a real browser: it fits, and breaks no rule of its own."""

from itertools import pairwise

import pytest

from tests.page.mage_page import browser_page
from tests.programs import needs_chromium
from tests.reports import facts, page_of

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def page():
    with browser_page() as page:
        yield page


@pytest.fixture
def file(tmp_path):
    """Writes the page in a language: its address."""

    def write(language="en"):
        file = tmp_path / "page.html"
        file.write_text(page_of(facts(), language), encoding="utf-8")
        return file.as_uri()

    return write


@pytest.mark.parametrize("width", [320, 390, 1440])
@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_it_fits_and_loads_nothing(page, file, language, width):
    address = file(language)
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = [page.locator(f".row-flow.{shape}").is_visible() for shape in ("tall", "wide")]
    assert shown == [width < 720, width > 720]
    assert page.locator(".narrow").is_visible() == (width < 720)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert not told
    assert [url for url in asked if not url.startswith("data:")] == [address]


def test_it_is_told_to_those_who_do_not_see_it(page, file):
    page.goto(file())
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1 and all(after - before < 2 for before, after in pairwise(levels))
    assert not page.locator("th:not([scope]), table:not(:has(caption))").count()
    alone = ":not([aria-hidden])[role=img]:not([aria-label]), img:not([alt])"
    assert not page.locator(alone).count()
    assert "12,342" in page.locator("img").get_attribute("alt")
    assert "the fullest square, with 200" in page.locator(".map").get_attribute("aria-label")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.url.endswith("#columns")


def test_it_is_dark_where_the_reader_is(page, file):
    address = file()
    paper = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(address)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        paper[scheme] = sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
    assert paper["dark"] < 150 < 700 < paper["light"]
