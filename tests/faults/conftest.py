"""A shaky world: three versions of the data, and a store behind a proxy that fails on demand."""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import pytest

from data.breweries.flow import FLOW
from sandbox.breweries.generator import generate
from tests.faults import report, runs
from tests.faults.damage import Truth, damage, leavings
from tests.faults.proxy import StoreProxy
from tests.world import Stored, World, lasting, restore, stored

T = TypeVar("T")
Published = tuple[list[Stored], list[Truth]]
"""The objects of a lake, and what each version of it was."""
LEASE_SECONDS = 0.4
BUSY_LEASE_SECONDS = 15  # where a run on a busy machine must not lose its lease
KEPT = {"BREWERIES_HISTORY_VERSIONS": 3, "BREWERIES_STOP_ON": "none"}


@dataclass
class Shaky:
    """A world whose runs are processes, and whose store can be made to fail under them."""

    world: World
    proxy: StoreProxy
    data: tuple[list[Any], ...]
    truths: list[Truth]
    now: int = 0

    def start(self, **settings: object) -> BaseProcess:
        """Start a run whose store is the proxy."""
        own = {"MINIO_ENDPOINT": self.proxy.endpoint, "LAKE_LEASE_SECONDS": LEASE_SECONDS}
        given = {name: str(value) for name, value in {**own, **settings}.items()}
        return runs.start({**os.environ, **given}, self.world.folder / "output.txt")

    def run(self, **settings: object) -> int:
        """A run to its end; its exit status."""
        process = self.start(**settings)
        process.join(120)
        assert process.exitcode is not None, self.output()
        return process.exitcode

    def change(self) -> None:
        """From now on the API serves another version of the data."""
        self.now = (self.now + 1) % len(self.data)
        self.world.api.records = self.data[self.now]

    def rounds(self, chosen: Iterable[T], happens: Callable[[T], object]) -> int:
        """Let something happen to runs, each with other data, until it does not; how often it did.

        Each time the lake stays whole, and the next run heals it.
        """
        times = 0
        for one in chosen:
            self.change()
            self.proxy.reset()
            if not happens(one):
                break
            times += 1
            assert self.damage() == []
            self.heal()
        return times

    def output(self) -> str:
        """The end of what the runs printed."""
        return (self.world.folder / "output.txt").read_text()[-3000:]

    def damage(self) -> list[str]:
        """What is wrong with the lake at this moment."""
        self.proxy.reset()
        return damage(self.world.lake, self.truths)

    def heal(self) -> None:
        """Nothing is wrong after another run, that nothing disturbs."""
        self.proxy.reset()
        assert self.run() == 0, self.output()
        assert Truth.of(self.world) == self.truths[self.now]
        assert [*self.damage(), *leavings(self.world.lake)] == []


@pytest.fixture(scope="session")
def published(store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A lake in which three versions were published once each, and what each of them is."""
    with lasting(store, tmp_path_factory, "published") as world:
        world.set(**KEPT)
        truths = []
        for records in three_versions():
            world.api.records = records
            runs.through_blocks(FLOW.datasets)
            truths.append(Truth.of(world))
        return stored(world.lake), truths


@pytest.fixture
def shaky(world: World, store: dict[str, str], published: Published) -> Iterator[Shaky]:
    """Three versions published once each; the last is current."""
    objects, truths = published
    restore(world.lake, objects)
    data = three_versions()
    world.api.records = data[-1]
    world.set(**KEPT)
    with StoreProxy(store["MINIO_ENDPOINT"]) as proxy:
        yield Shaky(world, proxy, data, truths, now=len(data) - 1)


def three_versions() -> tuple[list[Any], ...]:
    """Some records of few locations, and twice the same with rows added, removed and changed."""
    chance = random.Random(4)
    places = ("Oregon", "Ohio", "Maine", "Texas", "Bayern", "VIC")
    old = [r for r in generate(1500, seed=2) if r["state_province"] in places]
    new = [dict(record) for record in old]
    chance.shuffle(new)
    new[0]["state_province"] = "Utah"
    new[1]["brewery_type"] = "closed"
    new[2]["name"] = "Another Name"
    third = [dict(record) for record in new[5:]]
    third[0]["name"] = "A Third Name"
    return old[:-2], new[3:] + new[:3], third


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str, int, str], None]:
    """Where a test tells how many faults it injected, and how runs ended."""

    def add(fault: str, times: int, ends: str) -> None:
        record_property(fault, (times, ends))

    return add


@pytest.fixture
def every(request: pytest.FixtureRequest) -> bool:
    """Whether all faults are asked for, rather than a quick selection."""
    return bool(request.config.getoption("--all-faults"))


def pytest_configure(config: pytest.Config) -> None:
    chosen, in_worker = config.option, hasattr(config, "workerinput")
    if chosen.all_faults and not chosen.keyword and not in_worker:
        config.pluginmanager.register(report.Table())
