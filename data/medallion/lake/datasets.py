"""The names of the contract: which block writes which dataset into which layer's bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["bronze", "silver", "gold"]
LAYERS: tuple[Layer, ...] = ("bronze", "silver", "gold")


@dataclass(frozen=True)
class Dataset:
    """One dataset: its layer (and bucket), its name, and the block that writes it."""

    layer: Layer
    name: str
    block: str
    object: str | None = None
    """The key of the one object that is its version; None where the manifest's objects are."""
    beside: tuple[str, ...] = ()
    """The keys of the single objects that its block writes beside it."""

    @property
    def path(self) -> str:
        """Layer and name, as people are told."""
        return f"{self.layer}/{self.name}"

    @property
    def prefix(self) -> str:
        """Under which the dataset's objects stand, relative to the bucket."""
        return f"data/{self.name}/"

    @property
    def manifest(self) -> str:
        """The key of its manifest, relative to the bucket."""
        return f"{self.prefix}_manifest.json"

    @property
    def lease(self) -> str:
        """The key of the lease that a run holds while it writes, relative to the bucket."""
        return f"leases/{self.name}.json"

    @property
    def race(self) -> str:
        """The key of the object that writers race for, relative to the bucket."""
        return f"{self.lease}.race"


SOURCE = "Open Brewery DB"
"""Where the records come from, as people know it."""

BRONZE_OBJECT = "data/breweries/breweries_raw.json"
REJECTED_OBJECT = "data/rejected/breweries_rejected.json"
CHANGES_OBJECT = "data/changes/breweries_changes.json"
GOLD_OBJECT = "data/state_brewery_type/breweries_aggregated.parquet"
CHART_OBJECT = "data/visualizations/breweries_aggregated.png"
PICTURE = CHART_OBJECT.rpartition("/")[2]
"""The chart's name in the local folder."""

BRONZE = Dataset("bronze", "breweries", "extract_breweries_data", BRONZE_OBJECT)
SILVER = Dataset(
    "silver", "breweries", "transform_breweries", beside=(REJECTED_OBJECT, CHANGES_OBJECT)
)
GOLD = Dataset("gold", "state_brewery_type", "aggregated_columns", GOLD_OBJECT)
CHART = Dataset("gold", "visualizations", "data_viz", CHART_OBJECT)

HISTORY = f"{BRONZE.prefix}history/"
DATASETS = (BRONZE, SILVER, GOLD, CHART)
LOGS = "logs/"
SCRATCH = "scratch/"
"""In silver, what workers hand to each other during a run."""
