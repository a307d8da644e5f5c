"""A real Zabbix of Debian's packages: database, server and page in a folder of their own."""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from monitoring.zabbix.api import ask, log_in
from monitoring.zabbix.setup import TEMPLATE_NAME
from sandbox import ROOT
from tests.monitoring.servers import running
from tests.programs import free_port

POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), default=Path("pg_ctl")).parent


class Packages(NamedTuple):
    """Where a version's packages are, and how they get there."""

    version: str
    root: Path
    remedy: str

    @property
    def parts(self) -> list[Path]:
        """The server, the page, and the database's tables."""
        names = ("sbin/zabbix_server", "share/zabbix", "share/zabbix-server-pgsql")
        return [self.root / "usr" / name for name in names]

    @property
    def complete(self) -> bool:
        needed = (*self.parts, POSTGRES / "pg_ctl")
        return all(path.exists() for path in needed) and shutil.which("php") is not None


# The first that the template is for, and that of the profile.
VERSIONS = (
    Packages(
        "6.0",
        Path("/"),
        "apt-get install zabbix-server-pgsql zabbix-frontend-php php-cli php-pgsql postgresql",
    ),
    Packages("7.0", Path("/opt/zabbix-7.0"), "sh tests/monitoring/zabbix-7.sh"),
)
PASSWORD = "of-the-test-0"
# PostgreSQL refuses to run as root.
OTHER_USER: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
# Debian's page reads /etc alone: its copy reads what is beside it.
CONFIGURATION = "/etc/zabbix/zabbix.conf.php"
PAGE_SETTINGS = """<?php
$DB = [
    'TYPE' => 'POSTGRESQL', 'SERVER' => 'SOCKET', 'PORT' => '0', 'DATABASE' => 'zabbix',
    'USER' => 'zabbix', 'PASSWORD' => '', 'SCHEMA' => '', 'ENCRYPTION' => false,
    'DOUBLE_IEEE754' => true,
];
$ZBX_SERVER_NAME = 'Lake';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""


@contextmanager
def zabbix(packages: Packages) -> Iterator[str]:
    """A new Zabbix as its packages make it: the address of its page."""
    server, shipped, tables = packages.parts
    with tempfile.TemporaryDirectory(prefix="zabbix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            _database(folder, tables) as database,
            _page(folder, shipped, database) as page,
            _server(folder, server, database, page),
        ):
            yield page


@contextmanager
def _database(folder: Path, scripts: Path) -> Iterator[Path]:
    """PostgreSQL on a socket in a folder, with Zabbix's tables."""
    home = folder / "postgres"
    home.mkdir()
    if OTHER_USER:
        shutil.chown(home, **OTHER_USER)

    def run(*command: str, text: bytes = b"") -> None:
        done = subprocess.run(
            [str(POSTGRES / command[0]), *command[1:]],
            input=text, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **OTHER_USER,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()

    run("initdb", "-D", "data", "-U", "zabbix", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-k {home} -c listen_addresses='' -c fsync=off -c max_connections=200"
    run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")
    try:
        run("createdb", "-h", str(home), "-U", "zabbix", "zabbix")
        tables = [gzip.decompress((scripts / f"{t}.sql.gz").read_bytes()) for t in
                  ("schema", "images", "data")]  # fmt: skip
        # Without statistics, PostgreSQL takes a quarter of a minute for each new host.
        tables.append(b"ANALYZE;")
        run("psql", "-q", "-h", str(home), "-U", "zabbix", "zabbix", text=b"\n".join(tables))
        yield home
    finally:
        run("pg_ctl", "-D", "data", "-m", "immediate", "stop")


@contextmanager
def _page(folder: Path, shipped: Path, database: Path) -> Iterator[str]:
    copy = folder / "page"
    shutil.copytree(shipped, copy, symlinks=True)
    file = folder / "zabbix.conf.php"
    for source in copy.glob("include/classes/core/CConfigFile.php"):
        source.write_text(source.read_text().replace(CONFIGURATION, str(file)))
    file.write_text(PAGE_SETTINGS.replace("SOCKET", str(database)))
    settings = {"max_execution_time": 300, "post_max_size": "16M", "max_input_time": 300}
    with running(
        folder / "page.log", "http://ADDRESS/index.php",
        *("env", "PHP_CLI_SERVER_WORKERS=4", "php", "-S", "ADDRESS", "-t", copy),
        *(word for name, value in settings.items() for word in ("-d", f"{name}={value}")),
    ) as address:  # fmt: skip
        yield f"http://{address}"


@contextmanager
def _server(folder: Path, program: Path, database: Path, page: str) -> Iterator[None]:
    file = folder / "zabbix_server.conf"
    settings = {
        "AllowRoot": 1,
        "CacheUpdateFrequency": 10,  # as 7.0 has it; 6.0 notices a new host after a minute
        "DBHost": database,
        "DBName": "zabbix",
        "DBUser": "zabbix",
        "ListenIP": "127.0.0.1",
        "ListenPort": free_port(),  # it takes none above 32,767
        "LogType": "console",
        "PidFile": folder / "zabbix_server.pid",
        "SocketDir": folder,
    }
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with running(folder / "server.log", page, program, "-f", "-c", file):
        yield


def set_up(page: str, exporter: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Our command, as the user types it."""
    return subprocess.run(
        [sys.executable, "-m", "monitoring.zabbix", "--url", page, "--exporter", exporter],
        cwd=ROOT, env={**os.environ, "ZABBIX_PASSWORD": PASSWORD, **settings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


class Zabbix:
    """Zabbix's API as a test needs it."""

    def __init__(self, page: str) -> None:
        self.api = log_in(page, PASSWORD)

    def ask(self, method: str, **parameters: Any) -> Any:
        return ask(self.api, method, **parameters)

    def host(self, name: str) -> str:
        (found,) = self.ask("host.get", filter={"host": name}, output=["hostid"])
        return str(found["hostid"])

    def add_host(self, name: str, exporter: str) -> None:
        """Another host with the template, on an exporter."""
        (group,) = self.ask("hostgroup.get", filter={"name": "Lake"}, output=["groupid"])
        named = {"filter": {"host": TEMPLATE_NAME}, "output": ["templateid"]}
        (template,) = self.ask("template.get", **named)
        macros = [{"macro": "{$LAKE.EXPORTER}", "value": exporter}]
        more = {"groups": [group], "templates": [template], "macros": macros}
        self.ask("host.create", host=name, **more)

    def problems(self, host: str) -> dict[str, str]:
        """The problems that last, by their event's number."""
        found = self.ask("problem.get", hostids=[self.host(host)], output=["eventid", "name"])
        return {problem["eventid"]: problem["name"] for problem in found}

    def items(self, host: str) -> dict[str, dict[str, str]]:
        """Its items by key, with the newest value, and whether they are supported."""
        told = ["key_", "lastvalue", "state", "error"]
        found = self.ask("item.get", hostids=[self.host(host)], output=told)
        return {item["key_"]: item for item in found}

    def everything(self) -> dict[str, list[str]]:
        """All that a set-up makes; nothing that the server keeps of it."""
        by_hand = {"filter": {"flags": 0}}  # not by discovery
        kinds: dict[str, dict[str, Any]] = {
            "hostgroup": {}, "template": {}, "host": {"selectMacros": "extend"},
            "usermacro": {"globalmacro": True}, "mediatype": {"selectMessageTemplates": "extend"},
            "usergroup": {}, "user": {"selectMedias": "extend"},
            "action": {"selectOperations": "extend", "selectRecoveryOperations": "extend"},
            "item": {"output": ["key_", "delay"], **by_hand}, "itemprototype": {},
            "trigger": {"output": ["description", "expression"], **by_hand}, "triggerprototype": {},
        }  # fmt: skip
        return {
            kind: sorted(str(one) for one in self.ask(f"{kind}.get", **more))
            for kind, more in kinds.items()
        }
