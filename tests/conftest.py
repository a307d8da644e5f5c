"""The real parts that tests run against: an S3 store, the local API, Mage itself."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings as hypothesis_settings

from data.medallion import project
from data.medallion.host import envfile
from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import LAYERS, Layer
from data.medallion.lake.lake import Lake
from data.medallion.lake.runs import RUN
from data.medallion.settings import LakeSettings
from sandbox.store import embedded_store

if TYPE_CHECKING:
    from tests.lakes import Site
    from tests.world import Stored, World

OF_A_PROXY = "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"
STORE_SETTINGS = ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SECURE")

# A slow machine is no failure: the first example also pays for imports.
# The same examples each time; the slow tests look for new ones.
hypothesis_settings.register_profile("few", deadline=None, max_examples=25, derandomize=True)
hypothesis_settings.register_profile("many", deadline=None, max_examples=200)


class Gone(MetaPathFinder):
    """Skips what imports a part of the project that is not there any more."""

    def find_spec(self, name: str, *_: Any) -> None:
        if "." in name and (PROJECT.parent / name.partition(".")[0]).is_dir():
            pytest.skip(f"{name} is not here any more", allow_module_level=True)


if not (PROJECT / "breweries" / "flow.py").exists():  # git leaves what was compiled
    sys.meta_path.append(Gone())


def pytest_configure(config: pytest.Config) -> None:
    hypothesis_settings.load_profile("many" if config.getoption("--all") else "few")
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:  # by nohup, or in the background
            # What a test starts would ignore it too; a handler does the same, for us alone.
            signal.signal(number, lambda *_: None)
    folder = tempfile.TemporaryDirectory(prefix="breweries-mage-")
    config.add_cleanup(folder.cleanup)
    os.environ["MAGE_DATA_DIR"] = folder.name  # Mage reads it when it is first imported
    # Else each process that a test starts would compile our modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in OF_A_PROXY:
        os.environ.pop(name, None)  # tests speak to this machine; those of proxies set their own
    _hide_settings_of(envfile.DOTENV)
    envfile.DOTENV = Path(folder.name, ".env")


def _hide_settings_of(dotenv: Path) -> None:
    """An empty variable hides that of .env, also from the processes that a test starts."""
    ours = {str(field.validation_alias) for field in LakeSettings.model_fields.values()}
    prefixes = tuple(f"{name.upper()}_" for name in project.names())
    for name in envfile.read_envfile(dotenv):
        if name in ours - {*STORE_SETTINGS} or name.startswith(prefixes):
            os.environ.setdefault(name, "")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too")
    parser.addoption(
        "--all-faults", action="store_true", help="inject every fault, and write the table of them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow and rarely fails, unless all are asked for; start with what waits."""
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)
    if config.getoption("--all") or config.getoption("--all-faults"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a store to test on: that of MINIO_ENDPOINT, or the embedded one."""
    if "MINIO_ENDPOINT" in os.environ:
        given = {name: os.environ[name] for name in STORE_SETTINGS if name in os.environ}
        _refuse_a_store_in_use(given)
        yield given
    else:
        with embedded_store(tmp_path_factory.mktemp("store")) as environment:
            yield environment
            gc.collect()  # it waits for connections that are open


def _refuse_a_store_in_use(settings: dict[str, str]) -> None:
    """Tests empty the buckets, so they must be nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        lake = Lake.connect(LakeSettings.load())
        for layer in LAYERS:
            lake.store.create_bucket(layer)
            if lake.store.listed(layer, ""):
                pytest.exit(f"Tests would empty {layer} of MINIO_ENDPOINT, which holds data.")


def without_run(key: str) -> str:
    """A key without the run that wrote the object: equal data have equal names then."""
    return re.sub(RUN, "run", key)


def raw_get(lake: Lake, layer: Layer, key: str) -> bytes:
    """An object's content; it must be there."""
    content = lake.store.get(layer, key)
    assert content is not None, f"{layer}/{key}"
    return content


def empty(lake: Lake) -> None:
    """Remove all but the proof of today's race, which takes the embedded store two seconds."""
    for layer in LAYERS:
        lake.store.create_bucket(layer)
        found = [key for key in lake.store.listed(layer, "") if not key.endswith(".race")]
        lake.store.remove(layer, found)


@pytest.fixture
def site(store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty lake."""
    from tests.lakes import site_on

    with site_on(store, tmp_path, monkeypatch) as site:
        yield site


@pytest.fixture
def world(site: Site) -> Iterator[World]:
    """An empty lake, and an API of 600 generated breweries without faults or limits."""
    from tests.world import world_of  # what knows no brewery is tested without them

    with world_of(site) as world:
        yield world


@pytest.fixture(scope="module")
def lasting_world(
    store: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world for all tests of a file."""
    from tests.world import lasting

    with lasting(store, tmp_path_factory, "lasting") as world:
        yield world


@pytest.fixture(scope="session")
def first_run(store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Stored]:
    """Every object of a world in which the pipeline has run once."""
    from tests.world import lasting, stored

    with lasting(store, tmp_path_factory, "first") as world:
        world.run()
        return stored(world.lake)


@pytest.fixture
def filled(world: World, first_run: list[Stored]) -> World:
    """The world after its first run, whose objects are put there as that run left them."""
    from tests.world import restore

    restore(world.lake, first_run)
    return world
