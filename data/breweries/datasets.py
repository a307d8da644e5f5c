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


BRONZE = Dataset("bronze", "breweries", "extract_breweries_data")
SILVER = Dataset("silver", "breweries", "transform_breweries")
GOLD = Dataset("gold", "state_brewery_type", "aggregated_columns")
CHART = Dataset("gold", "visualizations", "data_viz")

BRONZE_OBJECT = f"{BRONZE.prefix}breweries_raw.json"
HISTORY = f"{BRONZE.prefix}history/"
REJECTED_OBJECT = "data/rejected/breweries_rejected.json"
CHANGES_OBJECT = "data/changes/breweries_changes.json"
GOLD_OBJECT = f"{GOLD.prefix}breweries_aggregated.parquet"
CHART_OBJECT = f"{CHART.prefix}breweries_aggregated.png"
DATASETS = (BRONZE, SILVER, GOLD, CHART)
LOGS = "logs/"
