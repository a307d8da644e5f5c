"""One test's lake and Open Brewery DB, and the pipeline on them through real Mage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from data.breweries.flow import FLOW
from data.medallion.context import FlowContext
from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import LAYERS, Layer
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from data.medallion.work.engine import Machine
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from tests.conftest import raw_get, without_run
from tests.lakes import Site, site_on

PLACES = {
    ("United States", "California"), ("United States", "Colorado"), ("United States", "New York"),
    ("United States", "Washington"), ("United States", "Missouri"), ("United States", "MIssouri"),
    ("Belgium", "Flanders"), ("Belgium", "Vlaanderen"), ("Germany", "Bayern"),
    ("Ireland", "Dublin"), ("New Zealand", "Northland"), ("South Korea", "Deagu"),
}  # fmt: skip
"""Each location is an object, which takes most of a run's time: a few show what 213 would."""


def breweries(count: int = 600, seed: int = 1) -> list[dict[str, Any]]:
    """Generated breweries of few locations, spellings among them that are joined; a test's own."""
    return [dict(record) for record in _breweries(count, seed)]


@lru_cache
def _breweries(count: int, seed: int) -> list[dict[str, Any]]:
    found = [
        record
        for record in generate(5 * count, seed)
        if (record["country"].strip(), record["state_province"].strip()) in PLACES
    ]
    assert len(found) >= count
    return found[:count]


@dataclass
class World(Site):
    """One test's lake and API, and the pipeline on them through real Mage."""

    api: LocalBreweryApi

    def run(self, *, test: bool = True, **variables: Any) -> None:
        """Run the pipeline as `mage run --test` does, in this process."""
        from mage_ai.data_preparation.models.pipeline import Pipeline
        from mage_ai.settings.repo import set_repo_path

        set_repo_path(str(PROJECT))
        pipeline = Pipeline.get("breweries", repo_path=str(PROJECT))
        pipeline.execute_sync(global_vars=variables, run_tests=test, update_status=False)

    def fails(self, kind: type[Exception], layer: Layer, **variables: Any) -> dict[str, Any]:
        """Run, see it fail with an error of that kind, and give its one new error log."""
        before = self.logs(layer).keys()
        with pytest.raises(Exception) as caught:
            self.run(**variables)
        chain = [caught.value, caught.value.__cause__, caught.value.__context__]
        assert any(isinstance(error, kind) for error in chain), chain
        after = self.logs(layer)
        (key,) = after.keys() - before
        return after[key]

    @property
    def context(self) -> FlowContext:
        """What a block's check is given."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return FlowContext(self.lake, Machine(LakeSettings.load(), self.lake, scratch), FLOW)

    def published(self) -> dict[str, bytes]:
        """Every object that a reader of the published versions reads, by bucket and name."""
        found = {}
        for dataset in FLOW.datasets:
            version = self.manifest(dataset)
            for entry in version.objects:
                name = f"{dataset.layer}/{without_run(entry.key)}"
                found[name] = self.lake.read(dataset.layer, entry)
            for copy in version.copies:
                content = self.lake.read(dataset.layer, copy.as_stored)
                assert content == self.lake.read(dataset.layer, copy.object)
                found[f"{dataset.layer}/{copy.key}"] = content
        return found


@contextmanager
def world_of(site: Site) -> Iterator[World]:
    """The world of that lake, with an API of its own."""
    with LocalBreweryApi(breweries(), faults=Faults(rate_limit=0)) as api:
        world = World(site.lake, site.folder, site.patch, api)
        world.set(BREWERIES_API_URL=api.url, BREWERIES_API_REQUESTS_PER_MINUTE=0)
        world.set(BREWERIES_API_BACKOFF_SECONDS=0.01)
        yield world


@contextmanager
def world_on(store: dict[str, str], folder: Path, patch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world on a store of those settings."""
    with site_on(store, folder, patch) as site, world_of(site) as world:
        yield world


@contextmanager
def lasting(store: dict[str, str], folders: pytest.TempPathFactory, name: str) -> Iterator[World]:
    """A world for more than one test."""
    with (
        pytest.MonkeyPatch.context() as patch,
        world_on(store, folders.mktemp(name), patch) as world,
    ):
        yield world


@dataclass(frozen=True)
class Stored:
    """An object. What else a store keeps of it, nobody needs."""

    layer: Layer
    key: str
    content: bytes


def stored(lake: Lake) -> list[Stored]:
    """Every object of a lake."""
    keys = ((layer, key) for layer in LAYERS for key in lake.store.listed(layer, ""))
    return [Stored(layer, key, raw_get(lake, layer, key)) for layer, key in keys]


def restore(lake: Lake, objects: list[Stored]) -> None:
    """Put them into an empty lake."""
    for one in objects:
        lake.store.put(one.layer, one.key, one.content)
