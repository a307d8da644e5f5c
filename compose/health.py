"""Healthy is: Mage says that its scheduler is alive, and addresses that are named answer."""

from __future__ import annotations

import json
import sys
from http.client import HTTPResponse
from urllib.request import urlopen

STATUS = "http://127.0.0.1:6789/api/status"


def main(others: list[str]) -> int:
    """The exit status is 0 when all is well; a sentence says what is not."""
    for url in others:
        try:
            _open(url).close()
        except OSError as error:
            print(f"{url} does not answer: {error}")
            return 1
    with _open(STATUS) as answer:
        (status,) = json.load(answer)["statuses"]
    print(f"scheduler {status['scheduler_status']}")
    return int(status["scheduler_status"] != "running")


def _open(url: str) -> HTTPResponse:
    opened: HTTPResponse = urlopen(url, timeout=8)  # noqa: S310 - it is one of the stack's own
    return opened


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
