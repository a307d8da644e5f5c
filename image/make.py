"""Renew the pictures of this folder from the running system: `make images`.

All but three: flow.svg is drawn by hand, minio.png is MinIO's own console after a run, and
performance.png is of `make bench`.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from compose.trigger import ENDED
from data.breweries.flow import FLOW
from data.medallion.host.envfile import read_envfile
from data.medallion.lake.lake import Lake
from data.medallion.report.publishing import local_file
from data.medallion.settings import LakeSettings
from sandbox import ROOT, runner
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from sandbox.lakes import variables
from tests.page.mage_page import MagePage, browser_page
from tests.page.web import Web, web
from tests.waiting import wait_for

from .words import IMAGE, WORDS, stamp

BREWERIES = 11_800
UNUSABLE = 21
WIDTH, WIDE = 1440, 1760
STYLE = """
body { margin: 0; }
main { font: 15px/1.5 'DejaVu Sans Mono', monospace; padding: 24px; color: #24292f; }
h1 { font: bold 19px 'DejaVu Sans', sans-serif; margin: 0 0 12px; }
section { border: 1px solid #d0d7de; border-radius: 6px; padding: 14px 18px; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def main() -> int:
    """Make every picture; the exit status is 0 when all are made."""
    whole = Faults(rate_limit=0)
    with (
        tempfile.TemporaryDirectory() as name,
        LocalBreweryApi(generate(BREWERIES), faults=whole) as api,
        web(Path(name), api, BREWERIES_API_ATTEMPTS="2") as up,
        browser_page() as page,
    ):
        owner = MagePage(page, up.address)
        owner.log_in(up.email, up.password)
        owner.entered()
        first = _run(up)
        api.faults = Faults(rate_limit=0, error_rate=1)
        _run(up)
        api.faults = whole
        api.records = _next_day(api.records)
        _run(up)

        folder = Path(name) / "visualizations"
        _page_and_chart(page, folder, "")
        page.set_viewport_size({"width": WIDE, "height": 900})  # so that no line of code is cut
        owner.edit()
        page.get_by_text("Memory:").wait_for()  # the kernel is there
        _fit_tree(page)
        _shoot(page, "mage-tree", width=WIDE)
        _hide_tree_of_triggers(page)
        owner.triggers()
        _shoot(page, "mage-triggers", width=WIDE, height=336)
        page.set_viewport_size({"width": WIDTH, "height": 900})
        owner.wait_for_done(first)
        _shoot(page, "mage-runs", height=350)
        portuguese = {
            **read_envfile(up.store),
            **api.variables(FLOW.prefix),
            "REPORT_LANGUAGE": "pt-BR",
            "LAKE_VISUALIZATIONS": str(folder / "pt-BR"),
        }
        with variables(portuguese):
            _show(page, "error-log", _error_log(Lake.connect(LakeSettings.load())))
            runner.run_pipeline(FLOW)
        _page_and_chart(page, folder / "pt-BR", ".pt-BR")
    for picture in WORDS:
        if picture != "performance.png":
            stamp(picture)
    return 0


def _next_day(records: list[Any]) -> list[Any]:
    """More records have come, but without a name or twice: silver has the rows of make demo."""
    nameless = [{**r, "id": f"{r['id']}-new", "name": None} for r in records[:UNUSABLE]]
    again = [{**r, "id": f" {r['id']}"} for r in records[:2]]
    return [*records, *nameless, *again]


def _page_and_chart(page: Page, folder: Path, language: str) -> None:
    """The chart of the last run, and the head of its page: the way of the rows, and the proof."""
    chart = Path(str(FLOW.datasets[-1].object)).name
    shutil.copy(folder / chart, IMAGE / f"chart{language}.png")
    page.goto(local_file(FLOW, folder).as_uri())
    end = page.locator(".facets").bounding_box()
    assert end  # noqa: S101  (it is on the page)
    height = round(end["y"] + end["height"]) + 40
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.screenshot(path=IMAGE / f"report{language}.png")
    page.set_viewport_size({"width": WIDTH, "height": 900})


def _run(up: Web) -> int:
    """Start the pipeline, and wait until it has ended; returns the number of the run."""
    number = up.mage.start(up.mage.triggers("breweries")["on_demand"])
    wait_for(lambda: up.mage.run(number)["status"] in ENDED, seconds=600)
    return number


def _fit_tree(page: Page) -> None:
    """Press the first button of the tree's zoom, which has no name: it fits all into view."""
    zoom = page.get_by_text(re.compile(r"^\d+%$")).last
    box = zoom.bounding_box()
    assert box  # noqa: S101  (it is in view)
    page.mouse.click(box["x"] + box["width"] / 2 - 160, box["y"] + box["height"] / 2)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)  # the tree glides into its place


def _hide_tree_of_triggers(page: Page) -> None:
    """Make the tree next to the list of triggers one pixel wide, which leaves room for the list."""
    # Mage keeps the width in the browser; at 0 it takes its default.
    page.evaluate("localStorage.setItem('layout_after_triggers_breweries_width', '1')")


def _error_log(lake: Lake) -> str:
    """The first error log of bronze, but for the middle of its traceback."""
    key = min(lake.store.listed("bronze", "logs/"))
    log = json.loads(b"".join(lake.store.stream("bronze", key)))
    # Paths of the machine that makes the picture are nobody's concern.
    *_, frame, source, said = log["traceback"].strip().replace(f"{ROOT}/", "").split("\n")
    kept = ("Traceback (most recent call last):", "  ...", frame, source, said)
    log["traceback"] = "\n".join(kept)
    text = html.escape(json.dumps(log, indent=2, ensure_ascii=False)).replace("\\n", "\n    ")
    return f"<section><h1>bronze/{key}</h1><pre>{text}</pre></section>"


def _show(page: Page, name: str, body: str) -> None:
    """A picture of some HTML, as high as it is."""
    page.set_content(f"<style>{STYLE}</style><main>{body}</main>")
    page.locator("main").screenshot(path=IMAGE / f"{name}.png")


def _shoot(page: Page, name: str, height: int = 900, width: int = WIDTH) -> None:
    page.wait_for_timeout(2000)  # the bar that tells of loading fades away
    page.screenshot(
        path=IMAGE / f"{name}.png", clip={"x": 0, "y": 0, "width": width, "height": height}
    )


if __name__ == "__main__":
    sys.exit(main())
