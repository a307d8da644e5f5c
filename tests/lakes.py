"""One test's empty lake, for what needs neither an API nor a flow."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from data.medallion.lake import retries
from data.medallion.lake.datasets import Dataset, Layer
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Manifest
from data.medallion.settings import LakeSettings
from tests.conftest import empty, raw_get


@dataclass
class Site:
    """One test's lake and folder."""

    lake: Lake
    folder: Path
    patch: pytest.MonkeyPatch

    def set(self, **settings: object) -> None:
        """Settings for what follows."""
        for name, value in settings.items():
            self.patch.setenv(name, str(value))

    @property
    def earlier_run(self) -> str:
        """The id of a run before all others of today, on which the store was proved to be fit."""
        return f"{datetime.now(timezone.utc):%Y%m%dT000000Z}-cccccc"

    def manifest(self, dataset: Dataset) -> Manifest:
        return self.lake.version(dataset)

    def publish_manifest(self, dataset: Dataset, manifest: Manifest) -> None:
        """Publish a version by its log entry alone."""
        number = self.lake.version(dataset).version + 1
        content = self.lake.log(dataset).append(manifest.model_copy(update={"version": number}))
        assert content
        self.lake.store.put(dataset.layer, dataset.manifest, content)

    def keys(self, layer: Layer) -> list[str]:
        """Keys of a layer but the error logs, and the proof of today's race."""
        found = self.lake.store.listed(layer, "")
        return [k for k in found if not (k.startswith("logs/") or k.endswith(".race"))]

    def logs(self, layer: Layer) -> dict[str, dict[str, Any]]:
        """Error logs of a layer by key."""
        keys = self.lake.store.listed(layer, "logs/")
        return {key: json.loads(raw_get(self.lake, layer, key)) for key in keys}

    def spooled(self) -> list[Path]:
        return sorted((self.folder / "spool").rglob("*.json"))


@contextmanager
def site_on(store: dict[str, str], folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The site on a store of those settings."""
    for name, value in store.items():
        patch.setenv(name, value)
    patch.setenv("LAKE_SPOOL", str(folder / "spool"))
    patch.setenv("LAKE_VISUALIZATIONS", str(folder / "visualizations"))
    patch.setattr(retries, "BACKOFF_SECONDS", 0.02)  # nobody else needs the store
    lake = Lake.connect(LakeSettings.load())
    empty(lake)
    yield Site(lake, folder, patch)
    empty(lake)
