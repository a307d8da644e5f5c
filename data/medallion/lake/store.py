"""The object store, as the lake uses it. Each layer has a bucket; keys are relative to it.

`s3.py` is an S3-compatible store, `folder.py` a folder of this machine. Only `create` has a
condition: it publishes versions. Nothing depends on an ETag: one that is no MD5 only costs a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .datasets import Layer

CHUNK = 1 << 20
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class ObjectInfo:
    """An object in a listing."""

    bytes: int
    modified: float
    """The time of its last PUT, in Unix seconds, by the store's clock; 0 if it is unknown."""
    etag: str = ""
    """The store's mark of the content, without quotes: mostly its MD5."""


class Store(Protocol):
    """Objects of the three buckets. Every method raises a `StoreError` if the store fails."""

    endpoint: str
    """The store's name in messages."""
    connections: int
    """How many requests may be under way at a time."""

    def create_bucket(self, layer: Layer) -> None:
        """Create the layer's bucket, private, unless it exists."""

    def listed(self, layer: Layer, prefix: str) -> dict[str, ObjectInfo]:
        """The objects under a prefix, by key, sorted."""

    def get(self, layer: Layer, key: str) -> bytes | None:
        """An object's content; None if it does not exist."""

    def stream(
        self, layer: Layer, key: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Yield bytes `start` up to `end`, or the end, by 1 MiB; ObjectMissing if it is gone."""

    def put(self, layer: Layer, key: str, content: bytes | Path, kind: str = BINARY) -> None:
        """Store bytes or a file of any size as an object of a content type, atomically."""

    def create(self, layer: Layer, key: str, content: bytes, kind: str = BINARY) -> bool:
        """Store an object if there is none of this name; returns whether it did.

        If an answer of the store is lost, it may return False although it stored the object.

        Raises:
            ConditionsUnsupported: the store has no conditional writes.
        """

    def copy(self, layer: Layer, key: str, to: str, kind: str = BINARY) -> None:
        """Copy an object within its bucket, atomically; errors as of `stream`."""

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:
        """Remove objects; a missing object is no error."""
