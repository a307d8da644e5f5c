"""The names in the lake: layers, and the objects of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Layer = Literal["bronze", "silver", "gold"]
LAYERS: tuple[Layer, ...] = ("bronze", "silver", "gold")

LOGS = "logs/"
"""The prefix of a layer's error logs, in its bucket."""

LEASES = "leases/"
"""The prefix of the leases of a layer's datasets, in its bucket."""

SCRATCH = "scratch/"
"""The prefix of the pieces that tasks exchange during a run, in silver's bucket."""


@dataclass(frozen=True)
class Dataset:
    """One dataset: its layer (and bucket), its name, and the block that writes it."""

    layer: Layer
    name: str
    block: str
    object: str | None = None
    """The key of the object that is its version; None if the manifest's objects are the version."""
    beside: tuple[str, ...] = ()
    """The keys of other objects that its block writes."""

    @property
    def path(self) -> str:
        """Layer and name, for messages."""
        return f"{self.layer}/{self.name}"

    @property
    def prefix(self) -> str:
        """The prefix of the dataset's objects, in the bucket."""
        return f"data/{self.name}/"

    @property
    def manifest(self) -> str:
        """The key of its manifest, in the bucket."""
        return f"{self.prefix}_manifest.json"

    @property
    def lease(self) -> str:
        """The key of the lease that a run holds while it writes, in the bucket."""
        return f"{LEASES}{self.name}.json"

    @property
    def race(self) -> str:
        """The key of the object for the race of writers. Later, it names the run of the race."""
        return f"{self.lease}.race"

    @property
    def history(self) -> str:
        """The prefix of earlier versions, in the bucket."""
        return f"{self.prefix}history/"

    def earlier(self, snapshot: str) -> str:
        """The key of an earlier version, in the bucket."""
        return f"{self.history}{snapshot}.json"
