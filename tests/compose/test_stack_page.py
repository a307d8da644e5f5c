"""Mage's page of the stack, in a real browser."""

from tests.page.mage_page import MagePage, browser_page
from tests.programs import needs_chromium
from tests.waiting import wait_for

pytestmark = needs_chromium


def test_its_owner_logs_in_sees_the_tree_and_runs_the_pipeline(stack):
    mage = stack.mage()
    known = {trigger["id"] for trigger in mage.triggers("breweries").values()}

    def started() -> set[int]:
        runs = mage.runs("breweries")
        return {run["id"] for run in runs if run["pipeline_schedule_id"] not in known}

    with browser_page() as page:
        owner = MagePage(page, stack.page())
        told = stack.settings
        owner.log_in(told["DEFAULT_OWNER_EMAIL"], told["DEFAULT_OWNER_PASSWORD"])
        owner.entered()
        assert [name for name, _ in owner.tree()][-1] == "data_viz"
        owner.run_once()
        (number,) = wait_for(started)
        owner.wait_for_done(number)
