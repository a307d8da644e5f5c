"""The stack as the user starts it, in a copy of the repository that a plain user owns."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import TOKEN, USER, Stack, copy, give_away, name_of


@pytest.fixture(scope="session")
def command() -> tuple[str, ...]:
    """The docker compose at hand: COMPOSE names another."""
    named = os.environ.get("COMPOSE", "docker-compose")
    command = tuple(named.split())
    if not (shutil.which(command[0]) and shutil.which("docker")):
        pytest.skip(f"missing {named}: apt-get install docker.io docker-compose")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers: start Docker Desktop, or dockerd as root")
    return command


@pytest.fixture
def project(command: tuple[str, ...], tmp_path: Path) -> Iterator[Stack]:
    """A copy of the repository without .env, on which nothing has been started."""
    with copy(tmp_path / name_of("project"), command) as project:
        yield project


@pytest.fixture(scope="module")
def stack(command: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack up and healthy, with an .env such as people write: CRLF, quotes, $ and #."""
    with copy(tmp_path_factory.mktemp("compose") / name_of("stack"), command) as stack:
        stack.prepare(
            DEFAULT_OWNER_PASSWORD="'pa$$word #1 $HOME'",
            MINIO_SECRET_KEY="'key$1#23456789'",
            DEFAULT_OWNER_EMAIL='"someone@breweries.example"',
            MAGE_UID=USER,
            MAGE_GID=USER,
        )
        file = stack.folder / ".env"
        with file.open("a") as settings:
            settings.write(f"STATIONS_API_TOKEN='{TOKEN}'\n")
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
        give_away(stack.folder)
        said = stack.run("make", "up", f"COMPOSE={stack.compose_command}").stdout
        assert stack.page() in said
        yield stack
