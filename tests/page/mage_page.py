"""Mage's page as a person uses it: by what it shows, not by its inner names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.waiting import wait_for

CHROMIUM = Path("/usr/bin/chromium")
SIZE: ViewportSize = {"width": 1440, "height": 900}
SECONDS = 1000  # Playwright counts in milliseconds
TYPES = ("Data loader", "Transformer", "Data exporter")
PIPELINE = "/pipelines/breweries"


@contextmanager
def a_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu"],  # it may be run by root
        )
        yield browser
        browser.close()


def new_page(browser: Browser) -> Page:
    """An empty page, of somebody who has never logged in."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(60 * SECONDS)
    expect.set_options(timeout=60 * SECONDS)  # a busy machine draws the page slowly
    return page


@contextmanager
def browser_page() -> Iterator[Page]:
    """An empty page of a browser of its own."""
    with a_browser() as browser:
        yield new_page(browser)


@dataclass
class MagePage:
    """Mage at an address, in a browser."""

    page: Page
    address: str

    def log_in(self, email: str, password: str) -> None:
        """Fill in the form; whether it was the right password shows afterwards."""
        self.page.goto(f"{self.address}/sign-in")
        self.page.get_by_placeholder("Email").fill(email)
        self.page.get_by_placeholder("Password").fill(password)
        self.page.get_by_role("button", name="Sign into Mage").click()

    def entered(self) -> None:
        """Wait until the page that follows a login is there."""
        self.page.wait_for_url(re.compile("/overview|/pipelines"))

    def edit(self) -> None:
        """Open the pipeline's editor with its tree, the whole of it in view."""
        self.page.goto(f"{self.address}{PIPELINE}/edit?sideview=tree")
        expect(self.page.get_by_text("def extract_breweries_data").first).to_be_visible()
        expect(self.page.get_by_text("Data exporter", exact=True).first).to_be_visible()

    def tree(self) -> list[tuple[str, str]]:
        """The blocks of the editor's tree and their types, from top to bottom."""
        self.edit()
        lines = [line for line in self.page.locator("body").inner_text().split("\n") if line]
        # The buttons that add a block bear the names of the types too.
        names = re.compile("[a-z_]+")
        return [
            (name, kind)
            for name, kind in pairwise(lines)
            if kind in TYPES and names.fullmatch(name)
        ]

    def triggers(self) -> dict[str, str]:
        """The rows of the list of triggers by name."""
        self.page.goto(f"{self.address}{PIPELINE}/triggers")
        return {name: self._row(name) for name in ("daily", "on_demand")}

    def _row(self, name: str) -> str:
        row = self.page.locator("tr").filter(has=self.page.get_by_text(name, exact=True))
        expect(row).to_be_visible()
        return row.inner_text()

    def run_once(self) -> None:
        self.page.goto(f"{self.address}{PIPELINE}/triggers")
        self.page.get_by_role("button", name="Run@once").click()
        self.page.get_by_role("button", name="Run now").click()

    def wait_for_done(self, number: int) -> None:
        """Wait until the list of runs shows a run as done."""
        self.page.goto(f"{self.address}{PIPELINE}/runs")
        row = self.page.locator("tr").filter(has=self.page.get_by_text(str(number), exact=True))
        expect(row.get_by_text("Done")).to_be_visible(timeout=240 * SECONDS)

    def logs(self) -> str:
        """What the page of logs shows once the last block is in it."""

        def shown() -> str | None:
            # It asks for them once: when it missed some, it is opened again. It may ask for
            # those of the last hour alone, and a daily run counts as of midnight.
            self.page.goto(f"{self.address}{PIPELINE}/logs?_limit=20&_offset=0&start_timestamp=0")
            with suppress(AssertionError):
                last = self.page.get_by_role("link", name="data_viz").first
                expect(last).to_be_visible()
                return self.page.locator("body").inner_text()
            return None

        self.page.set_viewport_size({**SIZE, "height": 4000})  # it makes only the rows in view
        return wait_for(shown, seconds=240)
