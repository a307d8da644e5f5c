"""One lake that real runs have made, for all tests that only read it."""

import os
import re
from dataclasses import dataclass

import pytest

from data.breweries.flow import FLOW
from data.medallion.lake.manifest import Manifest
from data.medallion.lake.runs import new_run
from data.medallion.lake.s3 import S3Store
from tests.story import Story, publish
from tests.world import World, lasting, world_on

UNUSABLE = [{"id": 'é"1'}, "text\u2028 \\"]


@dataclass
class Past:
    """A lake after three runs, and what was published by each."""

    world: World
    manifests: list[dict[str, Manifest]]
    """The manifests after each run, by layer and name."""

    @property
    def snapshots(self) -> list[str]:
        return [found[FLOW.silver.path].snapshot for found in self.manifests]


SETTING = re.compile("MINIO_|LAKE_|BREWERIES_")
PREFIX = "past-"
"""Of its buckets, so that a test may have an empty lake of its own beside it."""


@pytest.fixture(scope="session")
def past_lake(store, tmp_path_factory):
    """The lake, and the settings by which it is read; they hold while it is made."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LAKE_BUCKET_PREFIX", PREFIX)
    patch.setenv("BREWERIES_STOP_ON", "none")
    with world_on(store, tmp_path_factory.mktemp("past"), patch) as world:
        world.lake.store.put("bronze", FLOW.bronze.race, new_run().encode())  # it takes seconds
        # A column whose only value goes would be drift.
        plain = [one for one in world.api.records if not one["address_2"] and not one["address_3"]]
        first, second, *others = plain[:60]
        another = {**first, "name": "Another"}
        manifests = []
        try:
            for answer, drawn in (
                ([first, second, *others, *UNUSABLE], False),
                ([another, *others, *UNUSABLE], False),
                ([first, second, *others[:-3], UNUSABLE[0]], True),
            ):
                world.api.records = answer
                publish(drawn=drawn)
                written = [d for d in FLOW.datasets if drawn or d != FLOW.chart_dataset]
                manifests.append({d.path: world.manifest(d) for d in written})
            settings = {name: os.environ[name] for name in os.environ if SETTING.match(name)}
        finally:
            patch.undo()
        yield Past(world, manifests), settings


@pytest.fixture
def past(past_lake, monkeypatch):
    found, settings = past_lake
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def small(store, tmp_path, monkeypatch):
    """An empty lake."""
    monkeypatch.delenv("LAKE_BUCKET_PREFIX", raising=False)
    with world_on(store, tmp_path, monkeypatch) as world:
        world.set(BREWERIES_STOP_ON="none", MINIO_REGION="us-east-1")
        yield world


def streamed(monkeypatch):
    """The keys that are read of the store from now on."""
    keys, real = [], S3Store.stream
    monkeypatch.setattr(
        S3Store, "stream", lambda s, layer, key, *m: keys.append(key) or real(s, layer, key, *m)
    )
    return keys


@pytest.fixture(scope="module")
def story(store, tmp_path_factory):
    """Ten published versions, in a lake of their own."""
    with lasting(store, tmp_path_factory, "story") as world:
        found = Story(world)
        found.tell()
        yield found
