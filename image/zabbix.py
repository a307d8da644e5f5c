"""Renew zabbix-problem.png from a real Zabbix: `make images` does, where Debian's packages are."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page

from tests.monitoring.servers import exporter, pipeline
from tests.monitoring.zabbix import PASSWORD, VERSIONS, Zabbix, set_up, zabbix
from tests.page.mage_page import browser_page
from tests.waiting import wait_for

PICTURE = Path(__file__).with_name("zabbix-problem.png")


def main() -> int:
    """Make the picture; the exit status is 0 too where Zabbix is missing."""
    *_, packages = VERSIONS
    if not packages.complete:
        print(f"No picture of Zabbix {packages.version}: {packages.remedy}")
        return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        page = stack.enter_context(zabbix(packages))
        flow = stack.enter_context(pipeline(folder))
        address = stack.enter_context(exporter(folder))
        flow.run()
        set_up(page, f"http://{address}")
        asked = Zabbix(page)
        wait_for(lambda: any("failure" in key for key in asked.items("Lake")))
        flow.api.records = []
        flow.run()
        wait_for(lambda: asked.problems("Lake"))
        _shoot(stack.enter_context(browser_page()), page)
    return 0


def _shoot(browser: Page, address: str) -> None:
    browser.set_viewport_size({"width": 1760, "height": 900})
    browser.goto(address)
    browser.fill("#name", "Admin")
    browser.fill("#password", PASSWORD)
    browser.click("#enter")
    browser.wait_for_url("**action=dashboard.view**")
    browser.goto(f"{address}/zabbix.php?action=problem.view&show=3&show_tags=0")
    browser.get_by_text("The bronze layer of breweries failed").first.wait_for()
    for warning in browser.locator(".btn-overlay-close:visible").all():
        warning.click()  # the machine's languages are nobody's concern
    browser.locator(".tabfilter-item-link").first.click()  # the filter is folded away
    browser.wait_for_timeout(1000)
    browser.screenshot(path=PICTURE, clip={"x": 0, "y": 0, "width": 1760, "height": 230})


if __name__ == "__main__":
    sys.exit(main())
