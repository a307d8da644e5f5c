"""A copy of the repository and docker-compose on it, as the user has them."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from typing_extensions import Self

from compose.trigger import ENDED, MageApi
from data.medallion import project
from data.medallion.host.envfile import read_envfile
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from sandbox import default_flow
from tests.programs import free_port
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
FILES = ("docker-compose.yml", "tests/compose/docker-compose.test.yml")
PORTS = ("MAGE_PORT", "MINIO_PORT", "MINIO_CONSOLE_PORT")
TOKEN = "to$ken #1"  # of a flow that docker-compose.yml knows nothing of
USER = os.getuid() or 1000  # root gives its copy away


@dataclass(frozen=True)
class Stack:
    """A project folder of docker-compose, and how to ask for things in it."""

    folder: Path
    command: tuple[str, ...]
    profile: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is left: neither what runs, nor what it stored."""
        with suppress(AssertionError):
            self.compose(*self.profile, "down", "--volumes", "--timeout", "5")

    def prepare(self, *ports: str, **values: object) -> None:
        """Write .env, with ports on which nobody listens, and some lines changed."""
        self.run("sh", "compose/env.sh")
        free = {name: free_port() for name in (*PORTS, *ports)}
        file = self.folder / ".env"
        text = file.read_text()
        for name, value in {**free, **values}.items():
            text, times = re.subn(rf"(?m)^{name}=.*$", lambda _, n=name, v=value: f"{n}={v}", text)
            assert times == 1, name
        file.write_text(text)

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of docker-compose on both files."""
        return self.run(*self.compose_command.split(), *arguments, check=check)

    @property
    def compose_command(self) -> str:
        """What COMPOSE is to make."""
        return " ".join((*self.command, *(f"-f {name}" for name in FILES)))

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Any command in the project folder, with its output."""
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=900, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def container(self, service: str) -> str:
        return self.compose("ps", "-q", service).stdout.strip()

    def inspect(self, service: str, what: str) -> str:
        template = "{{" + what + "}}"
        done = self.run("docker", "inspect", "-f", template, self.container(service))
        return done.stdout.strip()

    def wait_until_healthy(self) -> None:
        wait_for(lambda: self.inspect("mage", ".State.Health.Status") == "healthy")

    @property
    def settings(self) -> dict[str, str]:
        return read_envfile(self.folder / ".env")

    def page(self) -> str:
        return f"http://127.0.0.1:{self.settings['MAGE_PORT']}"

    def mage(self) -> MageApi:
        """Mage's API from outside, as its owner."""
        told = self.settings
        return MageApi(self.page(), told["DEFAULT_OWNER_EMAIL"], told["DEFAULT_OWNER_PASSWORD"])

    def end_of(self, number: int) -> str:
        """How a run ended."""
        mage = self.mage()
        return str(wait_for(lambda: (run := mage.run(number))["status"] in ENDED and run["status"]))

    def lake(self) -> Lake:
        """The lake from outside, with the keys of .env."""
        told = self.settings
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MINIO_ENDPOINT", f"127.0.0.1:{told['MINIO_PORT']}")
            patch.setenv("MINIO_ACCESS_KEY", told["MINIO_ACCESS_KEY"])
            patch.setenv("MINIO_SECRET_KEY", told["MINIO_SECRET_KEY"])
            return Lake.connect(LakeSettings.load())


def name_of(what: str) -> str:
    """A name of the project's containers and volumes that is nobody else's."""
    return f"breweriestest{what}{os.getpid()}"


def copy(folder: Path, command: tuple[str, ...], *profile: str) -> Stack:
    """A copy as it was cloned: without the flows that were added."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    added = "|".join({*project.names()} - {"breweries", default_flow()}) or "$"
    own = re.compile(rf"data/(.*[/_])?({added})(/|\.py$)|(sandbox|tests/flows)/({added})/")
    for name in filter(None, names.split("\0")):
        if own.match(name):
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return Stack(folder, command, profile)


def give_away(folder: Path) -> None:
    """Where tests run as root, make the copy a plain user's, for root may do anything."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
