"""Every command of the documents, and the test that runs it."""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.docs.pages import Page

PROGRAMS = r"(apt-get|docker-compose|git|mage|make|mc|pip|python|\.venv/bin/(?:mage|python)) "


class Run(NamedTuple):
    """Where a command is run, and by what words it is told there (by its own, if it says none)."""

    where: str
    words: str = ""


MAKE = "tests/pipeline/test_make.py"
FLOWS = "tests/page/test_two_flows.py"
STACK = "tests/compose/test_stack.py"
PROFILES = "tests/compose/test_profiles.py"
ZABBIX = Run("tests/monitoring/zabbix.py::set_up", "-m monitoring.zabbix --url --exporter")
STOPPED = f"{STACK}::test_it_stops_when_told_and_comes_back_with_its_data"

INSTALLED = "tests/read/test_installed.py"
GUIDE = "tests/guide/test_make_it_yours.py"
RUN = {
    "make demo": Run(".ci/run"),
    'make demo ARGS="--error-rate 0.2 --cut-rate 0.1"': Run(f"{MAKE}::demo"),
    "make test": Run(".ci/run"),
    "make env": Run(f"{MAKE}::test_env_writes_what_the_stack_needs_and_never_over_it"),
    "make web": Run(f"{MAKE}::test_web_serves_mages_page"),
    "make web WEB_PORT=6790": Run(f"{MAKE}::test_web_serves_mages_page", "make web WEB_PORT="),
    "make web LAKE=demo": Run(
        f"{FLOWS}::test_the_lake_of_the_demo_is_fed_by_local_apis_alone", "demo"
    ),
    "make run": Run(f"{MAKE}::test_run_and_replay"),
    "make run SNAPSHOT=<run>": Run(f"{MAKE}::test_run_and_replay", "make run SNAPSHOT="),
    "make store": Run(f"{MAKE}::served"),
    "make store LAKE=demo": Run(f"{MAKE}::served"),
    "make sql": Run(f"{MAKE}::test_the_demo_is_asked_in_sql"),
    "make sql LAKE=demo": Run(f"{MAKE}::test_the_demo_is_asked_in_sql"),
    'make sql Q="SELECT ..."': Run(f"{MAKE}::test_the_demo_is_asked_in_sql", " Q="),
    "make sql AT=2026-11-18": Run(f"{MAKE}::test_the_demo_is_asked_in_sql", " AT="),
    "make -s sql < file.sql": Run(f"{MAKE}::test_the_demo_is_asked_in_sql", "make -s sql"),
    'make -s sql Q="FROM silver" > silver.csv': Run(
        f"{MAKE}::test_the_demo_is_asked_in_sql", "make -s sql"
    ),
    "make changes": Run(f"{MAKE}::test_the_demo_is_asked_in_sql", "make changes"),
    "make versions": Run(f"{MAKE}::test_the_demo_is_asked_in_sql"),
    "make changes FROM=<run>": Run(
        f"{MAKE}::test_the_demo_is_asked_in_sql", "make changes LAKE=demo FROM="
    ),
    "make changes FROM=<run> TO=<run>": Run(f"{MAKE}::test_the_demo_is_asked_in_sql", " TO="),
    'pip install ".[sql]"': Run(f"{INSTALLED}::environment", "pip install"),
    "python -m breweries_lake.medallion.read sql --flow breweries": Run(
        f"{INSTALLED}::test_the_command_answers_and_names_no_place_of_the_installation",
        ".medallion.read --flow breweries",
    ),
    "make export": Run(f"{MAKE}::test_the_demo_is_asked_in_sql"),
    "make export TO=breweries.duckdb": Run(f"{MAKE}::test_the_demo_is_asked_in_sql", " TO="),
    "make export LAKE=demo TO=breweries.xlsx": Run(
        f"{MAKE}::test_the_demo_is_asked_in_sql", "make export LAKE=demo TO="
    ),
    "make export LAKE=demo TO=breweries.geojson AT=2026-11-18": Run(
        f"{MAKE}::test_the_demo_is_asked_in_sql", " AT="
    ),
    "make check": Run(f"{MAKE}::test_the_demo_is_asked_in_sql"),
    "make report": Run(f"{MAKE}::test_report_makes_the_page_of_a_lake"),
    "make open": Run(f"{MAKE}::test_report_makes_the_page_of_a_lake", "make open"),
    "make api": Run(f"{MAKE}::test_api_serves_ones_own_records"),
    'make api ARGS="--dataset FILE"': Run(
        f"{MAKE}::test_api_serves_ones_own_records", 'make api ARGS="--dataset'
    ),
    "make test-fast": Run(f"{MAKE}::test_a_part_of_the_tests"),
    "make test-faults": Run(f"{MAKE}::test_a_part_of_the_tests"),
    "make test-all": Run(".ci/run"),
    "make test-monitoring": Run(".ci/run"),
    "make test-compose": Run(".ci/run"),
    "make setup": Run(".ci/run"),
    "make lint": Run(".ci/run"),
    "make audit": Run(".ci/run", ".venv/bin/python -m tests.audit"),
    "make format": Run(f"{MAKE}::test_format_mends"),
    "make dashboards": Run(f"{MAKE}::test_dashboards_are_those_that_are_committed"),
    "make clean": Run(f"{MAKE}::test_clean_leaves_what_was_cloned"),
    "make help": Run(f"{MAKE}::test_help_lists_every_target"),
    "make up": Run("tests/compose/conftest.py::stack"),
    "make down": Run(STOPPED),
    "make logs": Run(f"{STACK}::test_logs_are_followed"),
    "make trigger": Run(f"{STACK}::test_make_trigger_runs_the_pipeline_and_says_how_it_ended"),
    "docker-compose up -d": Run(STOPPED, "up -d"),
    "docker-compose up -d --scale worker=4 worker": Run(
        "tests/compose/test_scale.py::test_the_first_run_goes_through_two_workers",
        "up -d --scale worker=2 worker",
    ),
    "make dataset NAME=stations": Run(f"{GUIDE}::test_a_new_flow_runs_at_once_and_passes_lint"),
    "make demo FLOW=stations": Run(f"{GUIDE}::test_a_new_flow_runs_at_once_and_passes_lint"),
    "mage run": Run("tests/pipeline/test_commands.py::mage_run", "run data breweries"),
    ".venv/bin/mage run data breweries": Run(
        "tests/pipeline/test_commands.py::mage_run", "run data breweries"
    ),
    ".venv/bin/python -m monitoring": Run(
        "tests/monitoring/test_exporter.py::test_the_command_serves_and_says_where"
    ),
    "export ZABBIX_PASSWORD=... ALERT_SLACK_URL=...": Run(ZABBIX.where, "ZABBIX_PASSWORD"),
    ".venv/bin/python -m monitoring.zabbix --url http://zabbix.example.org "
    "--exporter http://lake.example.org:9817": ZABBIX,
    "python -m distributed.cli.dask_scheduler": Run(
        "tests/engines/conftest.py::_start", "-m distributed.cli."
    ),
    "python -m distributed.cli.dask_worker": Run(
        "tests/engines/conftest.py::_start", "-m distributed.cli."
    ),
    "apt-get install prometheus prometheus-alertmanager": Run(
        ".ci/run", "missing+=(prometheus-alertmanager)"
    ),
    "apt-get install --no-install-recommends "
    "zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql": Run(
        ".ci/run", "missing+=(zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql)"
    ),
    "sh tests/monitoring/zabbix-7.sh": Run(".ci/run"),
    "make monitor": Run(PROFILES, '("monitoring", "monitor")'),
    "make zabbix": Run(PROFILES, '("zabbix", "zabbix")'),
    "docker-compose exec -T alertmanager amtool alert add Test severity=critical "
    '--annotation=summary="A test" --alertmanager.url=http://127.0.0.1:9093': Run(
        f"{PROFILES}::test_make_monitor_starts_what_sees_and_tells"
    ),
}
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
