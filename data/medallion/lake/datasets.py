"""The names in the lake: layers, and which objects a dataset has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["bronze", "silver", "gold"]
LAYERS: tuple[Layer, ...] = ("bronze", "silver", "gold")

LOGS = "logs/"
"""Where the error logs of a layer are, relative to its bucket."""

LEASES = "leases/"
"""Where the leases of a layer's datasets are, relative to its bucket."""

SCRATCH = "scratch/"
"""In silver, what workers hand to each other during a run."""


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
        return f"{LEASES}{self.name}.json"

    @property
    def race(self) -> str:
        """The key of the object that writers race for; later it names the run that let them."""
        return f"{self.lease}.race"

    @property
    def history(self) -> str:
        """Where earlier versions are kept, relative to the bucket."""
        return f"{self.prefix}history/"

    def earlier(self, snapshot: str) -> str:
        """The key of an earlier version, relative to the bucket."""
        return f"{self.history}{snapshot}.json"
