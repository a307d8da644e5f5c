"""Set Zabbix up: `python -m monitoring.zabbix`, with ZABBIX_PASSWORD and ALERT_* of .env."""

from __future__ import annotations

import argparse
import sys

from zabbix_utils.exceptions import ModuleBaseException

from data.medallion.host.command import run
from data.medallion.host.envfile import environment

from .api import ZabbixRefused, log_in
from .setup import set_up

URL = "http://127.0.0.1:8080"
EXPORTER = "http://127.0.0.1:9817"


def main(arguments: list[str] | None = None) -> int:
    """Set up; the exit status is 1, and a sentence says why, where that cannot be done."""
    chosen = _parser().parse_args(arguments)
    settings = environment()
    try:
        api = log_in(chosen.url, settings.get("ZABBIX_PASSWORD", ""), chosen.wait)
        ways = set_up(api, settings, chosen.exporter)
    except (ZabbixRefused, ModuleBaseException) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"Zabbix watches {chosen.exporter}; it tells by {' and '.join(ways) or 'its page alone'}."
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring.zabbix", description=__doc__)
    parser.add_argument("--url", default=URL, help=f"of Zabbix's page; by default {URL}")
    parser.add_argument(
        "--exporter",
        default=EXPORTER,
        help=f"its address as Zabbix's server sees it; by default {EXPORTER}",
    )
    parser.add_argument(
        "--wait", type=float, default=0, help="seconds to wait for Zabbix; by default none"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run(main))
