"""The real parts that tests run against: an S3 store, the local API, Mage itself."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LAYERS, Dataset
from data.medallion.lake.manifest import Manifest
from data.medallion.lake.versions import Lake
from data.medallion.settings import PROJECT, LakeSettings
from data.medallion.work.engine import Machine
from data.medallion.writer import View
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from sandbox.store import embedded_store
from tests.forward_proxy import NAMES

STORE_SETTINGS = ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SECURE")

# A slow machine is no failure: the first example also pays for imports.
hypothesis_settings.register_profile("any-speed", deadline=None)
hypothesis_settings.load_profile("any-speed")


def pytest_configure(config: pytest.Config) -> None:
    folder = tempfile.TemporaryDirectory(prefix="breweries-mage-")
    config.add_cleanup(folder.cleanup)
    os.environ["MAGE_DATA_DIR"] = folder.name  # Mage reads it when it is first imported
    for name in NAMES:
        os.environ.pop(name, None)  # tests speak to this machine; those of proxies set their own


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-faults", action="store_true", help="inject every fault, and write the table of them"
    )


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


def _refuse_a_store_in_use(settings: dict[str, str]) -> None:
    """Tests empty the buckets, so they must be nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        lake = Lake.connect(LakeSettings.load())
        for layer in LAYERS:
            lake.store.create_bucket(layer)
            if lake.store.listed(layer, ""):
                pytest.exit(
                    f"The bucket {layer} of MINIO_ENDPOINT holds data: tests would empty it."
                )


@dataclass
class World:
    """One test's lake and API, and the pipeline on them through real Mage."""

    lake: Lake
    api: LocalBreweryApi
    folder: Path
    patch: pytest.MonkeyPatch

    def set(self, **settings: object) -> None:
        """Settings for what follows."""
        for name, value in settings.items():
            self.patch.setenv(name, str(value))

    def run(self, *, test: bool = True, **variables: Any) -> None:
        """Run the pipeline as `mage run --test` does, in this process."""
        from mage_ai.data_preparation.models.pipeline import Pipeline
        from mage_ai.settings.repo import set_repo_path

        set_repo_path(str(PROJECT))
        pipeline = Pipeline.get("breweries", repo_path=str(PROJECT))
        pipeline.execute_sync(global_vars=variables, run_tests=test, update_status=False)

    def fails(self, kind: type[Exception], layer: str, **variables: Any) -> dict[str, Any]:
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
    def view(self) -> View:
        """What a block's check is given."""
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        return View(self.lake, Machine(LakeSettings.load(), self.lake, scratch), FLOW)

    def manifest(self, dataset: Dataset) -> Manifest:
        return self.lake.version(dataset).manifest

    def publish_manifest(self, dataset: Dataset, manifest: Manifest) -> None:
        """Put a manifest in place of the published one."""
        assert self.lake.publish_manifest(dataset, manifest, self.lake.version(dataset).etag)

    def published(self) -> dict[str, bytes]:
        """Every object that a reader of the published versions reads, by bucket and key."""
        found = {}
        for dataset in FLOW.datasets:
            for entry in self.manifest(dataset).objects:
                found[f"{dataset.layer}/{entry.key}"] = self.lake.read(dataset.layer, entry)
        found[f"silver/{FLOW.rejected}"] = raw_get(self.lake, "silver", FLOW.rejected)
        return found

    def keys(self, layer: str) -> list[str]:
        """Keys of a layer but the error logs."""
        return [key for key in self.lake.store.listed(layer, "") if not key.startswith("logs/")]

    def logs(self, layer: str) -> dict[str, Any]:
        """Error logs of a layer by key."""
        return {
            key: json.loads(raw_get(self.lake, layer, key))
            for key in self.lake.store.listed(layer, "logs/")
        }

    def spooled(self) -> list[Path]:
        return sorted((self.folder / "spool").rglob("*.json"))


def raw_get(lake: Lake, layer: str, key: str) -> bytes:
    """An object's content, by the client's own means."""
    response = lake.store._client.get_object(layer, key)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


@pytest.fixture
def world(
    store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """An empty lake, and an API of 600 generated breweries without faults or limits."""
    settings = {
        **store,
        "LAKE_SPOOL": str(tmp_path / "spool"),
        "LAKE_VISUALIZATIONS": str(tmp_path / "visualizations"),
        "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
        "BREWERIES_API_BACKOFF_SECONDS": "0.01",
    }
    with LocalBreweryApi(generate(600, seed=1), faults=Faults(rate_limit=0)) as api:
        for name, value in {**settings, "BREWERIES_API_URL": api.url}.items():
            monkeypatch.setenv(name, value)
        lake = Lake.connect(LakeSettings.load())
        for layer in LAYERS:
            lake.store.create_bucket(layer)
            lake.store.remove(layer, list(lake.store.listed(layer, "")))
        yield World(lake, api, tmp_path, monkeypatch)
        for layer in LAYERS:
            lake.store.remove(layer, list(lake.store.listed(layer, "")))
