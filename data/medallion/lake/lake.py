"""The lake: versions of datasets in the buckets of the three layers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import TypeVar

from typing_extensions import Self

from ..settings import LakeSettings
from .batches import grouped, in_threads
from .datasets import Dataset, Layer
from .errors import UNREADABLE, LakeError, ManifestMissing, ObjectDiffers, StoreError
from .manifest import Manifest, StoredObject
from .records import split_lines
from .s3 import S3Store
from .store import Store
from .version_log import VersionLog

BYTES_AT_ONCE = 16 << 20  # of `contents`

R = TypeVar("R")


class Lake:
    """Versions of datasets in a store. Reads check objects against their versions."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def connect(cls, settings: LakeSettings, retry_more: bool = True) -> Self:
        """The lake of the settings. Arguments and errors are those of `S3Store`."""
        return cls(S3Store(settings, retry_more))

    def log(self, dataset: Dataset) -> VersionLog:
        """The log of a dataset."""
        return VersionLog(self.store, dataset)

    def version(self, dataset: Dataset) -> Manifest:
        """A dataset's newest version; errors as of `VersionLog.newest`."""
        return self.log(dataset).newest()

    def published(self, dataset: Dataset) -> Manifest | None:
        """As `version`; None if there is none."""
        with suppress(ManifestMissing):
            return self.version(dataset)
        return None

    def read(self, layer: Layer, entry: StoredObject) -> bytes:
        """Read an object of a version; ObjectMissing or ObjectDiffers if it is not whole."""
        return b"".join(self.chunks(layer, entry))

    def contents(
        self, layer: Layer, entries: Iterable[StoredObject]
    ) -> Iterator[tuple[StoredObject, bytes]]:
        """As `read`, for some objects, a few at a time; yields each one with its content."""
        for batch in grouped(entries, attrgetter("bytes"), BYTES_AT_ONCE):
            # The caller parses them: beside requests, it would wait for Python's lock all the time.
            read = [*in_threads(self.store.connections, partial(self.read, layer), batch)]
            yield from zip(batch, read, strict=True)

    def chunks(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, in chunks of 1 MiB; the hash is checked after the last one."""
        digest = hashlib.sha256()
        for chunk in self.store.stream(layer, entry.key):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != entry.sha256:
            name = f"{layer}/{entry.key}"
            raise ObjectDiffers(name, "sha256", entry.sha256, digest.hexdigest())

    def lines(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, line by line."""
        return split_lines(self.chunks(layer, entry))

    def problem(self, layer: Layer, entry: StoredObject) -> LakeError | StoreError | None:
        """Read an object only to check it; returns why it cannot be read as it was written.

        Raises:
            StoreError: the store does not answer, which says nothing about the object.
        """
        try:
            for _ in self.chunks(layer, entry):
                pass
        except UNREADABLE as error:
            return error
        return None

    def read_current(self, dataset: Dataset, read: Callable[[Manifest], R]) -> R:
        """Read a version, again if a newer one replaces it; LakeError if it is not whole."""
        version = self.version(dataset)
        while True:
            try:
                return read(version)
            except (LakeError, StoreError) as error:
                newer = version
                with suppress(LakeError, StoreError):
                    newer = self.version(dataset)
                if newer.version <= version.version:
                    raise error
                version = newer
