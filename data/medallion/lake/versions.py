"""The lake: versions of datasets in the buckets of the three layers, and their manifests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TypeVar

from typing_extensions import Self

from ..settings import LakeSettings
from .batches import grouped
from .datasets import Dataset, Layer
from .errors import (
    LakeError,
    LeaseLost,
    ManifestMissing,
    ManifestTooNew,
    ManifestUnreadable,
    ObjectDiffers,
    StoreError,
)
from .manifest import MANIFEST_VERSION, Manifest, Source, StoredObject, md5, sha256, version_of
from .metadata import Origin, Stat, metadata_of
from .records import split_lines
from .store import Store

BYTES_AT_ONCE = 16 << 20  # of `contents`
LARGEST_SINGLE_PUT = 16 << 20  # bytes; larger files are uploaded in parts, without a condition
# Longer than the time between the PUT of an object and the PUT of its manifest.
REPLACEMENT_SECONDS = 2.0

R = TypeVar("R")
M = TypeVar("M")


@dataclass(frozen=True)
class Version:
    """A dataset's published version: its manifest, the manifest as a source, and its ETag."""

    manifest: Manifest
    source: Source
    etag: str


class Lake:
    """Versions of datasets in a store. Reads check objects against their manifests."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def connect(cls, settings: LakeSettings, patient: bool = True) -> Self:
        """The lake of the settings. Arguments and errors are those of `Store.connect`."""
        return cls(Store.connect(settings, patient))

    def read(self, layer: Layer, entry: StoredObject) -> bytes:
        """Read an object that a manifest names, and check its hash.

        Raises:
            ObjectMissing, ObjectDiffers: the object is missing or differs from the manifest.
        """
        return b"".join(self.chunks(layer, entry))

    def contents(
        self, layer: Layer, entries: Iterable[StoredObject]
    ) -> Iterator[tuple[StoredObject, bytes]]:
        """As `read`, for some objects, a few at a time; yields each one with its content."""

        def read(entry: StoredObject) -> tuple[StoredObject, bytes]:
            return entry, self.read(layer, entry)

        for batch in grouped(entries, attrgetter("bytes"), BYTES_AT_ONCE):
            yield from self.store.each(read, batch)

    def only_content(self, dataset: Dataset) -> bytes:
        """Read the only object of a dataset's version, and check its hash.

        Raises:
            LakeError: the dataset is not published, or differs from its manifest.
        """
        return self.follow(
            dataset, lambda version: self.read(dataset.layer, version.manifest.only_object())
        )

    def chunks(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, in chunks of 1 MiB; the hash is checked after the last one."""
        name = f"{layer}/{entry.key}"
        digest = hashlib.sha256()
        for chunk in self.store.stream(layer, entry.key):
            digest.update(chunk)
            yield chunk
        if digest.hexdigest() != entry.sha256:
            raise ObjectDiffers(name, "sha256", entry.sha256, digest.hexdigest())

    def lines(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, line by line."""
        return split_lines(self.chunks(layer, entry))

    def put_missing(
        self,
        layer: Layer,
        entry: StoredObject,
        content: bytes,
        content_type: str,
        etag: str | None,
    ) -> bool:
        """Store an object, unless the stored one has the same content; returns whether it did.

        The stored object is not read: its ETag in a listing, if it is in one, is the MD5 of its
        content. If the store encrypts or compresses, the hash in its metadata is compared.
        """
        if etag:
            if etag == md5(content):
                return False
            head = self.store.head(layer, entry.key)
            if head and head.metadata.get("sha256") == entry.sha256:
                return False
        self.store.put(layer, entry.key, content, content_type, {"sha256": entry.sha256})
        return True

    def history(self, dataset: Dataset) -> list[str]:
        """The snapshots of a dataset's earlier versions, oldest first."""
        keys = self.store.listed(dataset.layer, dataset.history)
        return [key.removeprefix(dataset.history).removesuffix(".json") for key in keys]

    # -- versions of one object ------------------------------------------------

    def stat(self, layer: Layer, key: str) -> Stat | None:
        """A published object, by its metadata; None if it does not exist."""
        head = self.store.head(layer, key)
        return Stat.of(key, head) if head else None

    def publish(
        self,
        layer: Layer,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        origin: Origin,
        previous: Stat | None,
    ) -> bool:
        """Publish a version of a dataset of one object, by one PUT.

        Args:
            layer: the bucket.
            entry: the object, as its manifest will name it.
            content: the object's content, or a file of it.
            content_type: its media type.
            origin: the object's origin, for its metadata.
            previous: the object to replace; None if there is none.

        Returns:
            Whether the object was written. It is not if content and snapshot are unchanged.

        Raises:
            LeaseLost: another run wrote the object meanwhile.
        """
        if previous and (previous.sha256, previous.snapshot) == (entry.sha256, origin.snapshot):
            return False
        metadata = metadata_of(entry, origin, previous)
        if entry.bytes > LARGEST_SINGLE_PUT and isinstance(content, Path):
            if self.stat(layer, entry.key) != previous:
                raise LeaseLost(f"{layer}/{entry.key}")
            self.store.put_file(layer, entry.key, content, content_type, metadata)
            return True
        whole = content.read_bytes() if isinstance(content, Path) else content
        etag = previous.etag if previous else None
        if not self.store.put_if(layer, entry.key, whole, etag, content_type, metadata):
            raise LeaseLost(f"{layer}/{entry.key}")
        return True

    def copy(self, layer: Layer, key: str, version: Stat, to: str) -> None:
        """Copy a version of an object within its layer, with its metadata.

        Raises:
            LeaseLost: another run replaced the object meanwhile.
        """
        if not self.store.copy_if(layer, key, version.etag, to):
            raise LeaseLost(f"{layer}/{key}")

    # -- manifests -------------------------------------------------------------

    def version(self, dataset: Dataset) -> Version:
        """A dataset's published version.

        Raises:
            ManifestMissing, ManifestUnreadable: the dataset's block must run.
            ManifestTooNew: a later release wrote the manifest.
        """
        manifest, content, etag = self.read_manifest(dataset, Manifest.from_bytes)
        return Version(manifest, Source(key=dataset.manifest, sha256=sha256(content)), etag)

    def published(self, dataset: Dataset) -> Manifest | None:
        """The manifest of a dataset's published version; None if there is none.

        Raises:
            ManifestUnreadable, ManifestTooNew: as `version`.
        """
        try:
            return self.version(dataset).manifest
        except ManifestMissing:
            return None

    def read_manifest(self, dataset: Dataset, parse: Callable[[bytes], M]) -> tuple[M, bytes, str]:
        """Read a dataset's manifest; returns the result of `parse`, the content and the ETag.

        Args:
            dataset: the dataset.
            parse: parses the content; raises ValueError if it cannot.

        Raises:
            ManifestMissing, ManifestUnreadable, ManifestTooNew: as `version`.
        """
        name = f"{dataset.layer}/{dataset.manifest}"
        stored = self.store.get(dataset.layer, dataset.manifest)
        if stored is None:
            raise ManifestMissing(name, dataset.block)
        content, etag = stored
        try:
            if (written_as := version_of(content)) > MANIFEST_VERSION:
                raise ManifestTooNew(name, written_as, MANIFEST_VERSION)
            parsed = parse(content)
        except ValueError as error:
            raise ManifestUnreadable(name, str(error), dataset.block) from None
        return parsed, content, etag

    def follow(self, dataset: Dataset, read: Callable[[Version], R]) -> R:
        """Read a dataset's version; read again if the version is replaced meanwhile.

        Args:
            dataset: the dataset.
            read: reads the objects of a version; may be called more than once.

        Returns:
            The result of `read`.

        Raises:
            LakeError: the dataset is not published, or differs from its manifest.
        """
        version = self.version(dataset)
        while True:
            try:
                return read(version)
            except (LakeError, StoreError) as error:
                with suppress(StoreError):
                    newer = self._newer(dataset, version)
                    if newer:
                        version = newer
                        continue
                raise error

    def _newer(self, dataset: Dataset, version: Version) -> Version | None:
        """The version that replaced the given one meanwhile; None if none did.

        If the version is one object, the PUT of the object publishes it. Until its manifest is
        written, or if a crash prevents that, the object's metadata describe it.
        """
        end = time.monotonic() + REPLACEMENT_SECONDS
        while time.monotonic() < end:
            manifest = self.stat(dataset.layer, dataset.manifest)
            if manifest and manifest.etag != version.etag:
                return self.version(dataset)
            stored = self.stat(dataset.layer, dataset.object) if dataset.object else None
            if stored and stored.sha256 and stored.entry not in version.manifest.objects:
                own = {"run": stored.run, "snapshot": stored.snapshot, "source": stored.source}
                rows = {"rows_in": stored.rows_in, "rows_out": stored.rows}
                update = {**own, **rows, "objects": (stored.entry,), "checks": (), "parts": None}
                return replace(version, manifest=version.manifest.model_copy(update=update))
            time.sleep(REPLACEMENT_SECONDS / 20)
        return None

    def publish_manifest(self, dataset: Dataset, manifest: Manifest, etag: str | None) -> bool:
        """Publish a dataset's manifest, by one PUT.

        Args:
            dataset: the dataset.
            manifest: the new manifest.
            etag: the ETag of the manifest to replace; None if there is none.

        Returns:
            Whether it was written; False if another run published meanwhile.
        """
        content = manifest.to_bytes()
        return self.store.put_if(dataset.layer, dataset.manifest, content, etag) is not None
