"""Before Zabbix starts: refuse secrets that are none, and hand them over as files."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from compose.monitoring import write

SECRETS = Path("/run/breweries")
POSTGRES, ZABBIX = 70, 1997  # who they run as in their images
SHORTEST = {
    "ZABBIX_PASSWORD": 8,  # Zabbix refuses less
    "ZABBIX_DB_PASSWORD": 8,
}


def main() -> int:
    """Print a sentence for each thing that is wrong; the exit status is 1 if there is one."""
    wrong = list(unusable(os.environ))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    for name, owner in (("postgres_password", POSTGRES), ("zabbix_db_password", ZABBIX)):
        write(SECRETS / name, owner, os.environ["ZABBIX_DB_PASSWORD"])
    return 0


def unusable(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each secret that is missing or too short."""
    for name, shortest in SHORTEST.items():
        if len(settings.get(name, "")) < shortest:
            yield f"{name} needs {shortest} characters or more: set it in .env, as make env would."


if __name__ == "__main__":
    sys.exit(main())
