"""Before Zabbix starts: refuse weak secrets, and write the others as files."""

from __future__ import annotations

import os
import sys

from compose.passwords import FILES, weak, write
from data.medallion.host.command import run

POSTGRES, ZABBIX = 70, 1997  # who they run as in their images
SHORTEST = {
    "ZABBIX_PASSWORD": 8,  # Zabbix refuses less
    "ZABBIX_DB_PASSWORD": 8,
}


def main() -> int:
    """Print a sentence for each thing that is wrong; the exit status is 1 if there is one."""
    wrong = list(weak(os.environ, SHORTEST))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    for name, owner in (("postgres_password", POSTGRES), ("zabbix_db_password", ZABBIX)):
        write(FILES / name, owner, os.environ["ZABBIX_DB_PASSWORD"])
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
