"""`make web` on a lake and a database of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from compose.trigger import MageApi, MageRefused
from data.medallion.host.envfile import read_envfile
from sandbox import ROOT
from sandbox.breweries.api import LocalBreweryApi
from tests.programs import free_port
from tests.waiting import wait_for


@dataclass(frozen=True)
class Web:
    """Where Mage's page is, who may enter, and Mage's API to wait by."""

    address: str
    email: str
    password: str
    mage: MageApi
    store: Path
    """The file that says where the embedded store is, and its keys."""
    log: Path
    """What Mage says."""
    folder: Path
    """Where Mage keeps its data, and what was printed."""

    def wait_until_idle(self) -> None:
        """Wait until Mage's pool of workers ends: a job that comes just then is overlooked."""

        def ended() -> bool:
            text = self.log.read_text()
            looks = re.findall(r"\[Process (\d+)\] Worker pool size: (\d+)", text)
            # At its first look, a pool has no worker either.
            return len(looks) > 1 and looks[-1] == (looks[-2][0], "0")

        wait_for(ended)


@contextmanager
def web(
    folder: Path,
    api: LocalBreweryApi,
    root: Path = ROOT,
    lake: str = "",
    env: str = "",
    **settings: str,
) -> Iterator[Web]:
    """Mage's page as `make web` serves it in a checkout, on an API, with all state in a folder."""
    port = free_port()
    lake = lake or f"page-{port}"
    environment = {
        **os.environ,
        "BREWERIES_API_URL": api.url,
        "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
        "LAKE_VISUALIZATIONS": str(folder / "visualizations"),
        "MAGE_DATA_DIR": str(folder / "mage"),
        "SCHEDULER_TRIGGER_INTERVAL": "2",
        **settings,
    }
    command = [sys.executable, "-m", "sandbox", "web", "--lake", lake, "--port", str(port)]
    command += ["--env", env]
    with (folder / "web.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield _ready(port, root / ".sandbox" / lake, process, folder)
        finally:
            process.terminate()
            process.wait(90)
            (root / ".sandbox" / f"mage-{port}.log").unlink(missing_ok=True)
            shutil.rmtree(root / ".sandbox" / lake, ignore_errors=True)


def _ready(port: int, lake: Path, process: subprocess.Popen[bytes], folder: Path) -> Web:
    address, log = f"http://127.0.0.1:{port}", lake.with_name(f"mage-{port}.log")

    def answer() -> Web | None:
        assert process.poll() is None, (folder / "web.log").read_text()
        login = read_envfile(lake.with_name("mage.env"))
        # Neither file nor page is there at first.
        with suppress(KeyError, MageRefused):
            email, password = login["DEFAULT_OWNER_EMAIL"], login["DEFAULT_OWNER_PASSWORD"]
            mage = MageApi(address, email, password)
            return Web(address, email, password, mage, lake / "store.env", log, folder)
        return None

    return wait_for(answer)
