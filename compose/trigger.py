"""Start a run by Mage's API, as another program would; wait for it and say how it ended."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from typing import Any

import requests

from data.medallion import project
from data.medallion.errors import FlowError
from data.medallion.host.command import run
from data.medallion.host.network import session

PAGE = "http://127.0.0.1:6789"
# The key of Mage's own page, the same in every installation (mage_ai/settings/server.py).
PAGE_KEY = "zkWlN0PkIKSN0C11CfUHUj84OT5XOJ6tDZ6bDRO2"
OWNER = ("DEFAULT_OWNER_EMAIL", "DEFAULT_OWNER_PASSWORD")
ENDED = {"completed", "failed", "cancelled"}
TIMEOUT_SECONDS = 30
TICK_SECONDS = 2


class MageRefused(Exception):
    """Mage cannot be asked, or says no; the message says what to do."""


class MageApi:
    """Mage's API, logged in as its owner.

    Args:
        page: address of Mage's page.
        email: of the owner.
        password: of the owner, as it was at Mage's first start.

    Raises:
        MageRefused: nobody answers, or the login is refused.
    """

    def __init__(self, page: str, email: str, password: str) -> None:
        self._api = f"{page}/api"
        self._session = session()
        self._session.headers["X-API-KEY"] = PAGE_KEY
        login = {"session": {"email": email, "password": password}}
        try:
            token = self._ask("POST", "sessions", login)["session"]["token"]
        except MageRefused as error:
            raise MageRefused(
                f"{error} DEFAULT_OWNER_EMAIL and DEFAULT_OWNER_PASSWORD must be those of Mage's "
                "first start; later ones are changed in its page."
            ) from None
        self._session.cookies.set("oauth_token", token)

    def triggers(self, pipeline: str) -> dict[str, dict[str, Any]]:
        """The triggers of a pipeline by name."""
        found = self._ask("GET", f"pipelines/{pipeline}/pipeline_schedules")
        return {trigger["name"]: trigger for trigger in found["pipeline_schedules"]}

    def start(self, trigger: dict[str, Any], **variables: Any) -> int:
        """Call an API trigger with runtime variables, and give the number of the new run."""
        started = self._ask(
            "POST",
            f"pipeline_schedules/{trigger['id']}/api_trigger",
            {"pipeline_run": {"variables": variables}},
            headers={"Authorization": f"Bearer {trigger['token']}"},
        )
        return int(started["pipeline_run"]["id"])

    def run(self, number: int) -> dict[str, Any]:
        """A run with its `status` and its `block_runs`."""
        found: dict[str, Any] = self._ask("GET", f"pipeline_runs/{number}")["pipeline_run"]
        return found

    def runs(self, pipeline: str) -> list[dict[str, Any]]:
        """The runs of a pipeline, the oldest first."""
        found = self._ask("GET", f"pipeline_runs?pipeline_uuid={pipeline}")["pipeline_runs"]
        return sorted(found, key=lambda run: int(run["id"]))

    def _ask(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        # Mage answers many errors with 200 and an `error` in the body.
        try:
            answer = self._session.request(
                method, f"{self._api}/{path}", json=body, timeout=TIMEOUT_SECONDS, **more
            )
            found: dict[str, Any] = answer.json()
        except requests.JSONDecodeError:
            raise MageRefused(f"Mage answers {path} with {answer.status_code}, no JSON.") from None
        except requests.RequestException:
            raise MageRefused(f"Mage does not answer at {self._api}: is it up?") from None
        if "error" in found:
            error = found["error"]
            reason = str(error.get("message", error)).rstrip(".")
            raise MageRefused(f"Mage refuses {path}: {reason}.")
        return found


def main(name: str) -> int:
    """Run the pipeline of a flow once; the exit status is 0 when it completed."""
    try:
        flow = project.load(name)
        owner = {name: os.environ.get(name, "") for name in OWNER}
        if unset := [name for name, value in owner.items() if not value]:
            raise MageRefused(f"{unset[0]} is not set: make trigger runs this where it is.")
        mage = MageApi(PAGE, *owner.values())
        trigger = mage.triggers(flow.name).get("on_demand")
        if trigger is None:
            raise MageRefused(
                f"Mage has no trigger on_demand of {flow.name}: "
                f"data/pipelines/{flow.name}/triggers.yaml has lost it."
            )
        return follow(mage, mage.start(trigger))
    except (MageRefused, FlowError) as error:
        print(error, file=sys.stderr)
        return 1


def follow(mage: MageApi, number: int) -> int:
    """Tell of a run's blocks as they end; the exit status is 0 when it completed."""
    print(f"run {number} started", flush=True)
    reported: dict[str, str] = {}
    while True:
        run = mage.run(number)
        for block in run["block_runs"]:
            name, status = block["block_uuid"], block["status"]
            if status in ENDED and reported.get(name) != status:
                print(f"  {name:24}{status}", flush=True)
                reported[name] = status
                if status == "failed":
                    print(f"  {_reason(block)}", file=sys.stderr)
        if run["status"] in ENDED:
            print(f"run {number} {run['status']}")
            return int(run["status"] != "completed")
        time.sleep(TICK_SECONDS)


def _reason(block: dict[str, Any]) -> str:
    error = (block.get("metrics") or {}).get("error") or {}
    return str(error.get("error") or error.get("message") or "Mage's page has the reason.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m compose.trigger", description=__doc__)
    parser.add_argument("flow", help="whose pipeline is run")
    chosen = parser.parse_args()
    sys.exit(run(partial(main, chosen.flow), "Interrupted: the run goes on; Mage's page shows it."))
