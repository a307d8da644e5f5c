"""The lake: versions of datasets in the three layers' buckets, and their manifests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from typing_extensions import Self

from ..settings import LakeSettings
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
from .records import split_lines
from .store import Store

LARGEST_SINGLE_PUT = 16 << 20  # bytes; larger files go up in parts, without a condition
# Longer than the time between the PUT of an object and that of its manifest.
REPLACEMENT_SECONDS = 2.0

UNKNOWN, NOTHING = "unknown", "none"  # some stores refuse metadata that are empty

R = TypeVar("R")
M = TypeVar("M")


@dataclass(frozen=True)
class Origin:
    """Where an object comes from; kept in its metadata, so that it says which version it is."""

    run: str
    snapshot: str
    source: Source
    rows_in: int = 0
    made_by: str = UNKNOWN
    """The code and the library that wrote it, on which its bytes depend."""


@dataclass(frozen=True)
class Stat:
    """What an object says of itself."""

    key: str
    etag: str
    bytes: int
    run: str
    snapshot: str
    sha256: str
    rows: int
    rows_in: int
    source: Source
    made_by: str
    replaces: str
    """The snapshot of the object that it replaced; "" if there was none, or it is unknown."""

    @property
    def entry(self) -> StoredObject:
        """As a manifest would name it."""
        return StoredObject(key=self.key, rows=self.rows, bytes=self.bytes, sha256=self.sha256)


@dataclass(frozen=True)
class Version:
    """A dataset's published version: its manifest, by which ETag, and the same as a source."""

    manifest: Manifest
    source: Source
    etag: str


class Lake:
    """Versions of datasets in a store, checked against what their manifests say."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def connect(cls, settings: LakeSettings, patient: bool = True) -> Self:
        """The lake of the settings; as `Store.connect`."""
        return cls(Store.connect(settings, patient))

    def read(self, layer: Layer, entry: StoredObject) -> bytes:
        """The content of an object that a manifest names, checked against it.

        Raises:
            ObjectMissing, ObjectDiffers: it is not there, or not what the manifest says.
        """
        return b"".join(self.chunks(layer, entry))

    def only_content(self, dataset: Dataset) -> bytes:
        """The content of the one object of a dataset's version, checked against its manifest.

        Raises:
            LakeError: it is not published, or not what its manifest says.
        """
        return self.follow(
            dataset, lambda version: self.read(dataset.layer, version.manifest.only_object())
        )

    def chunks(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, in pieces of a MiB; the check comes with the last one."""
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

    def holds(self, layer: Layer, entry: StoredObject, content: bytes, etag: str) -> bool:
        """Whether a stored object has some content, judged by what the store says of it alone.

        Args:
            layer: the bucket.
            entry: the object as it should be; it was stored by `put_hashed`.
            content: that it should have.
            etag: that a listing gave.
        """
        if etag == md5(content):
            return True
        # Where the store encrypts or compresses, the ETag is something else.
        head = self.store.head(layer, entry.key)
        return head is not None and head.metadata.get("sha256") == entry.sha256

    def put_hashed(
        self, layer: Layer, entry: StoredObject, content: bytes, content_type: str
    ) -> None:
        """Store an object that tells the hash of its content."""
        self.store.put(layer, entry.key, content, content_type, {"sha256": entry.sha256})

    def history(self, dataset: Dataset) -> list[str]:
        """The snapshots of a dataset's earlier versions, the oldest first."""
        keys = self.store.listed(dataset.layer, dataset.history)
        return [key.removeprefix(dataset.history).removesuffix(".json") for key in keys]

    # -- versions of one object ------------------------------------------------

    def stat(self, layer: Layer, key: str) -> Stat | None:
        """What a published object says of itself, or None where there is none."""
        head = self.store.head(layer, key)
        if head is None:
            return None
        metadata = head.metadata
        return Stat(
            key=key,
            etag=head.etag,
            bytes=head.bytes,
            run=metadata.get("run", ""),
            snapshot=metadata.get("snapshot", ""),
            sha256=metadata.get("sha256", ""),
            rows=_number(metadata.get("rows", "")),
            rows_in=_number(metadata.get("rows-in", "")),
            source=Source(
                key=metadata.get("source-key", ""), sha256=metadata.get("source-sha256", "")
            ),
            made_by=metadata.get("made-by", UNKNOWN),
            replaces=metadata.get("replaces", NOTHING).replace(NOTHING, ""),
        )

    def publish(
        self,
        layer: Layer,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        origin: Origin,
        previous: Stat | None,
    ) -> bool:
        """Make some content the version of a single-object dataset, by one PUT.

        Args:
            layer: the bucket.
            entry: the object, as its manifest will name it.
            content: of the object, or a file of it.
            content_type: its media type.
            origin: what it says of itself.
            previous: the object that it replaces, as it was; None where there was none.

        Returns:
            Whether it was written: the same content of the same snapshot is not, again.

        Raises:
            LeaseLost: another run wrote it meanwhile.
        """
        if previous and (previous.sha256, previous.snapshot) == (entry.sha256, origin.snapshot):
            return False
        metadata = _metadata(entry, origin, previous)
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
        """Copy a version of an object within its layer, with what it says of itself.

        Raises:
            LeaseLost: another run replaced it meanwhile.
        """
        if not self.store.copy_if(layer, key, version.etag, to):
            raise LeaseLost(f"{layer}/{key}")

    # -- manifests -------------------------------------------------------------

    def version(self, dataset: Dataset) -> Version:
        """A dataset's published version.

        Raises:
            ManifestMissing, ManifestUnreadable: the dataset's block has to be run.
            ManifestTooNew: a later release wrote it.
        """
        manifest, content, etag = self.read_manifest(dataset, Manifest.from_bytes)
        return Version(manifest, Source(key=dataset.manifest, sha256=sha256(content)), etag)

    def published(self, dataset: Dataset) -> Manifest | None:
        """The manifest of a dataset's published version, or None where there is none.

        Raises:
            ManifestUnreadable, ManifestTooNew: as `version`.
        """
        try:
            return self.version(dataset).manifest
        except ManifestMissing:
            return None

    def read_manifest(self, dataset: Dataset, parse: Callable[[bytes], M]) -> tuple[M, bytes, str]:
        """What `parse` takes from a dataset's manifest, and the manifest's content and ETag.

        Args:
            dataset: the one to read.
            parse: takes from the content what is asked for; raises ValueError where it cannot.

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
        """What reading a dataset gives; it is read again if its version was replaced meanwhile.

        Args:
            dataset: the one to read.
            read: given the version, reads its objects; may be called more than once.

        Raises:
            LakeError: it is not published, or not what its manifest says.
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
        """The version that has replaced another meanwhile, if any has.

        If one object is the version, its own PUT publishes it. Its metadata describe it until its
        manifest is written, or if a crash prevents that.
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
        """Make a manifest its dataset's current one, by one PUT.

        Args:
            dataset: whose.
            manifest: the new one.
            etag: of the one that it replaces; None where there is none.

        Returns:
            Whether it was; it is not where another run published meanwhile.
        """
        content = manifest.to_bytes()
        return self.store.put_if(dataset.layer, dataset.manifest, content, etag) is not None


def _number(text: str) -> int:
    """A number of metadata; 0 where somebody else wrote something else there."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _metadata(entry: StoredObject, origin: Origin, previous: Stat | None) -> dict[str, str]:
    return {
        "run": origin.run,
        "snapshot": origin.snapshot,
        "sha256": entry.sha256,
        "rows": str(entry.rows),
        "rows-in": str(origin.rows_in),
        "source-key": origin.source.key,
        "source-sha256": origin.source.sha256,
        "made-by": origin.made_by,
        "replaces": previous.snapshot if previous and previous.snapshot else NOTHING,
    }
