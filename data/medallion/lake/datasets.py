"""The names in the lake: layers, and the objects of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

Layer = Literal["bronze", "silver", "gold"]
LAYERS: tuple[Layer, ...] = ("bronze", "silver", "gold")

# Prefixes in the bucket of a layer.
DATA = "data/"  # of its datasets
OBJECTS = "objects/"  # of the objects that also have a fixed name
LOGS = "logs/"  # of its error logs
LEASES = "leases/"  # of the leases of its datasets
SCRATCH = "scratch/"  # of the pieces that tasks exchange during a run; only in silver's bucket


@dataclass(frozen=True)
class Dataset:
    """One dataset: its layer (and bucket), its name, and the block that writes it."""

    layer: Layer
    name: str
    block: str
    object: str | None = None
    """The fixed name of its only object, a copy; None if it has many objects."""
    sidecars: tuple[str, ...] = ()
    """The fixed names of other objects of its versions, also copies."""
    folder: str = ""
    """The prefix of its versions' objects in `data/`; "" if they are all in `objects/`."""

    @property
    def path(self) -> str:
        """Layer and name, for messages."""
        return f"{self.layer}/{self.name}"

    @property
    def prefix(self) -> str:
        """The prefix of the dataset's objects, in the bucket."""
        return f"{DATA}{self.name}/"

    @property
    def manifest(self) -> str:
        """The key of its manifest: a copy of the newest entry of its log."""
        return f"{self.prefix}_manifest.json"

    @property
    def log(self) -> str:
        """The prefix of the entries of its log."""
        return f"{self.prefix}_versions/"

    def entry(self, number: int) -> str:
        """The key of the log entry of a version."""
        return f"{self.log}{number:010}.json"

    def number(self, key: str) -> int:
        """The version of a log entry by its key; 0 if it is no such key."""
        digits = key.removeprefix(self.log).removesuffix(".json")
        known = digits.isascii() and digits.isdecimal() and self.entry(int(digits)) == key
        return int(digits) if known else 0

    @property
    def objects(self) -> str:
        """The prefix of the objects that also have a fixed name."""
        return f"{OBJECTS}{self.name}/"

    def named(self, fixed: str, digest: str, writer: str) -> str:
        """A name that no other writer uses, for an object of this fixed name and sha256."""
        path = PurePosixPath(fixed)
        return f"{self.objects}{path.stem}-{digest[:32]}-{writer}{path.suffix}"

    @property
    def lease(self) -> str:
        """The key of the lease that a run holds while it writes, in the bucket."""
        return f"{LEASES}{self.name}.json"

    @property
    def race(self) -> str:
        """The key of the object for the race of writers. Later, it names the run of the race."""
        return f"{self.lease}.race"

    def earlier(self, snapshot: str) -> str:
        """The key of a snapshot, in bronze's bucket."""
        return f"{self.folder}{snapshot}.json"
