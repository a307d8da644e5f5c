"""Healthy is: Mage's page answers, and says that its scheduler is alive."""

from __future__ import annotations

import json
import sys
from urllib.request import urlopen

STATUS = "http://127.0.0.1:6789/api/status"


def main() -> int:
    """The exit status is 0 when Mage is healthy."""
    with urlopen(STATUS, timeout=8) as answer:
        (status,) = json.load(answer)["statuses"]
    print(f"scheduler {status['scheduler_status']}")
    return int(status["scheduler_status"] != "running")


if __name__ == "__main__":
    sys.exit(main())
