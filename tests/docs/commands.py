"""Every command of the documents, and where those are run that no test has as they stand."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.docs.pages import Page

PROGRAMS = r"(apt-get|docker-compose|git|mage|make|mc|pip|python|\.venv/bin/(?:mage|python)) "


class Run(NamedTuple):
    """Where a command is run, and by what words it is told there (by its own, if it says none)."""

    where: str
    words: str = ""


MAGE = Run("tests/pipeline/test_commands.py::mage_run", "run data breweries")
DASK = Run("tests/engines/conftest.py::_start", "-m distributed.cli.")
PROFILES = "tests/compose/test_profiles.py"
ZABBIX = Run("tests/monitoring/zabbix.py::set_up", "-m monitoring.zabbix --url --exporter")
STOPPED = "tests/compose/test_stack.py::test_it_stops_when_told_and_comes_back_with_its_data"
INSTALLED = "tests/read/test_installed.py"
GUIDE = "tests/guide/test_make_it_yours.py"
RUN = {
    "make web LAKE=demo": Run(
        "tests/page/test_two_flows.py::test_the_lake_of_the_demo_is_fed_by_local_apis_alone", "demo"
    ),
    "make monitor": Run(PROFILES, '("monitoring", "monitor")'),
    "make zabbix": Run(PROFILES, '("zabbix", "zabbix")'),
    'pip install ".[sql]"': Run(f"{INSTALLED}::environment", "pip install"),
    "python -m breweries_lake.medallion.read sql --flow breweries": Run(
        f"{INSTALLED}::test_the_command_answers_and_names_no_place_of_the_installation",
        ".medallion.read --flow breweries",
    ),
    "docker-compose up -d": Run(STOPPED, "up -d"),
    "docker-compose up -d --scale worker=4 worker": Run(
        "tests/compose/test_scale.py::test_the_first_run_goes_through_two_workers",
        "up -d --scale worker=2 worker",
    ),
    "mage run": MAGE,
    ".venv/bin/mage run data breweries": MAGE,
    ".venv/bin/python -m monitoring": Run(
        "tests/monitoring/test_exporter.py::test_the_command_serves_and_says_where"
    ),
    "export ZABBIX_PASSWORD=... ALERT_SLACK_URL=...": Run(ZABBIX.where, "ZABBIX_PASSWORD"),
    ".venv/bin/python -m monitoring.zabbix --url http://zabbix.example.org "
    "--exporter http://lake.example.org:9817": ZABBIX,
    "python -m distributed.cli.dask_scheduler": DASK,
    "python -m distributed.cli.dask_worker": DASK,
    "apt-get install prometheus prometheus-alertmanager": Run(
        ".ci/run", "missing+=(prometheus-alertmanager)"
    ),
    "apt-get install --no-install-recommends "
    "zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql": Run(
        ".ci/run", "missing+=(zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql)"
    ),
    "sh tests/monitoring/zabbix-7.sh": Run(".ci/run"),
    "docker-compose exec -T alertmanager amtool alert add Test severity=critical "
    '--annotation=summary="A test" --alertmanager.url=http://127.0.0.1:9093': Run(
        f"{PROFILES}::test_make_monitor_starts_what_sees_and_tells"
    ),
}
"""Where a command is run that is not found there as it stands."""

IMAGES = "its images could not be had where this was made"
OTHERS = "another program's own, and it changes nothing of ours"
INDEX = "it asks the package index, which answers otherwise every day"
NOT_RUN = {
    "git clone <repository> breweries && cd breweries": "its address is the reader's to know",
    "pip install .": 'it is run with ".[sql]"',
    "make bench": "it takes 50 minutes of a machine that does nothing else",
    "make images": "it takes minutes, and a person looks at what comes out",
    "python -m image.imports": "a test compares the picture with the code",
    "make lock": INDEX,
    "make lock ARGS=--upgrade": INDEX,
    "docker-compose restart alertmanager": IMAGES,
    "docker-compose logs alertmanager": IMAGES,
    "docker-compose logs exporter": IMAGES,
    "docker-compose logs minio": OTHERS,
    "docker-compose ps": OTHERS,
    "docker-compose ps minio": OTHERS,
    "git checkout data/pipelines": OTHERS,
    "mc admin policy attach": OTHERS,
    "mc admin policy create": OTHERS,
    "mc admin user add": OTHERS,
}
"""What no test runs, and why."""


FOLLOWED = {"docs/make-it-yours.md": GUIDE}
"""What a test follows word by word, on a copy of the repository."""


def is_command(name: str) -> bool:
    """Whether what stands in backticks is a command."""
    return bool(re.match(PROGRAMS, name))


def commands(page: Page) -> set[str]:
    """All of a document: those of its shell blocks, in its text, and with the options in tables."""
    if page.original in FOLLOWED:
        return set()
    scripts = [block.text for block in page.blocks if block.language in {"bash", "sh"}]
    lines = "\n".join(scripts).replace("\\\n", "").splitlines()
    found = {" ".join(line.partition(" #")[0].split()) for line in lines}
    found |= {name for name in page.names if is_command(name)}
    for row in re.findall(r"^\| `make .*", page.prose, re.MULTILINE):
        command, *more = re.findall(r"`([^`]+)`", row)
        found |= {f"{command} {name}" for name in more if re.match(r"[A-Z_]+=", name)}
    return found - {""}
