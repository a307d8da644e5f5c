"""The health check: Mage's scheduler is alive, and the given addresses respond."""

from __future__ import annotations

import sys
from functools import partial

import requests

from data.medallion.host.command import run
from data.medallion.host.network import session

STATUS = "http://127.0.0.1:6789/api/status"
SECONDS = 8


def main(others: list[str]) -> int:
    """The exit status is 0 when all is well; a sentence says what is not."""
    with session() as asking:
        for url in (*others, STATUS):
            try:
                answer = asking.get(url, timeout=SECONDS)
                answer.raise_for_status()
            except requests.RequestException as error:
                print(f"{url} does not answer: {error}")
                return 1
    try:
        (status,) = answer.json()["statuses"]
        scheduler = status["scheduler_status"]
    except (ValueError, LookupError, TypeError):
        print(f"{STATUS} answers, but tells no status of Mage's scheduler.")
        return 1
    print(f"scheduler {scheduler}")
    return int(scheduler != "running")


if __name__ == "__main__":
    sys.exit(run(partial(main, sys.argv[1:])))
