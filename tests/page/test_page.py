"""Mage's page in a real browser, served by `make web`."""

import json
import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, expect

from data.medallion.host.envfile import read_envfile
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.page.mage_page import MagePage, a_browser, new_page
from tests.page.web import web
from tests.programs import needs_chromium
from tests.waiting import wait_for

# First, so that one process starts its Mage.
pytestmark = [needs_chromium, pytest.mark.waits]


@pytest.fixture(scope="module")
def api():
    with LocalBreweryApi(generate(600), faults=Faults(rate_limit=0)) as api:
        yield api


@pytest.fixture(scope="module")
def server(tmp_path_factory, api):
    with web(tmp_path_factory.mktemp("web"), api, BREWERIES_API_ATTEMPTS="1") as up:
        yield up


@pytest.fixture(scope="module")
def browser():
    with a_browser() as browser:
        yield browser


@pytest.fixture
def stranger(server, browser):
    """The page before anybody has logged in."""
    page = new_page(browser)
    yield MagePage(page, server.address)
    page.close()


@pytest.fixture(scope="module")
def owner(browser, server):
    """The page as its owner sees it, who logs in once."""
    owner = MagePage(new_page(browser), server.address)
    owner.log_in(server.email, server.password)
    owner.entered()
    return owner


def test_a_stranger_is_sent_to_the_login_and_the_well_known_one_is_refused(stranger):
    for path in ("/pipelines/breweries/edit", "/pipelines/breweries/triggers"):
        stranger.page.goto(f"{stranger.address}{path}")
        stranger.page.wait_for_url(re.compile("/sign-in"))
    stranger.log_in("admin@admin.com", "admin")
    expect(stranger.page.get_by_text("password invalid")).to_be_visible()


def test_the_tree_shows_four_blocks_of_the_right_types(owner):
    assert owner.tree() == [
        ("extract_breweries_data", "Data loader"),
        ("transform_breweries", "Transformer"),
        ("aggregated_columns", "Transformer"),
        ("data_viz", "Data exporter"),
    ]


def test_both_triggers_are_listed_and_neither_has_started_a_run(owner, server):
    triggers = owner.triggers()
    assert "@daily" in triggers["daily"]
    assert "API" in triggers["on_demand"]
    # The scheduler has been there: it starts housekeeping by itself.
    assert wait_for(lambda: server.mage.runs("housekeeping"))
    assert server.mage.triggers("breweries")["daily"]["status"] == "inactive"
    assert server.mage.runs("breweries") == []


def test_a_run_started_from_the_page_is_seen_to_complete_and_its_logs_show_every_block(
    owner, server
):
    server.wait_until_idle()
    owner.run_once()
    (run,) = wait_for(lambda: server.mage.runs("breweries"))
    owner.wait_for_done(int(run["id"]))
    assert server.mage.run(run["id"])["status"] == "completed"
    logs = owner.logs()
    for block in ("extract_breweries_data", "transform_breweries", "aggregated_columns"):
        assert block in logs
    assert "1/1 tests passed." in logs


def test_the_terminal_is_told_where_the_page_is_and_no_more(owner, server):
    owner.edit()
    owner.page.wait_for_load_state("networkidle")
    terminal = (server.folder / "web.log").read_text()
    assert len(terminal.splitlines()) == 7 and str(server.log) in terminal
    assert f"{server.address}/pipelines/breweries/edit" in terminal
    # Mage hands a job to its workers before it notes it. A worker that is faster fails, and
    # Mage's next look hands the job out again.
    failures = server.log.read_text().split("Traceback")[1:]
    assert [failure for failure in failures if "process_queue.py" not in failure] == []


@pytest.mark.slow
def test_the_keys_of_the_store_are_nowhere_in_the_page(owner, server, api):
    told = []

    def keep(response):
        # What was redirected or left early has no body.
        with suppress(Error):
            told.append(response.body())

    owner.page.on("response", keep)
    api.faults = Faults(rate_limit=0, error_rate=1)
    before = {run["id"] for run in server.mage.runs("breweries")}
    server.wait_until_idle()
    owner.run_once()
    (number,) = wait_for(lambda: {run["id"] for run in server.mage.runs("breweries")} - before)
    wait_for(lambda: server.mage.run(number)["status"] == "failed")
    api.faults = Faults(rate_limit=0)
    owner.tree()
    owner.triggers()
    told.append(json.dumps(server.mage.run(number)).encode())

    def error_is_shown():
        # A slow page may be left before it has asked for its logs: then it is opened again.
        for part in ("logs", f"runs/{number}"):
            owner.page.goto(f"{server.address}/pipelines/breweries/{part}")
            owner.page.wait_for_load_state("networkidle")
        return any(b"ApiGaveUp" in body for body in told)

    wait_for(error_is_shown)
    secrets = [
        value.encode()
        for name, value in read_envfile(server.store).items()
        if name in {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}
    ]
    assert len(secrets) == 2
    kept = [file.read_bytes() for file in server.folder.rglob("*") if file.is_file()]
    kept.append(server.log.read_bytes())
    assert len(told) > 20 and len(kept) > 5
    assert not [body[:300] for body in (*told, *kept) for secret in secrets if secret in body]
