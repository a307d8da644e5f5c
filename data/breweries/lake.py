"""The lake: three buckets of an S3-compatible store. The only module that knows the store."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error

from .datasets import Dataset, Layer
from .errors import (
    ManifestMissing,
    ManifestUnreadable,
    ObjectDiffers,
    ObjectMissing,
    StoreError,
    StoreRefused,
    StoreUnreachable,
)
from .manifest import Manifest, Source, StoredObject, sha256
from .settings import Settings

CONNECT_SECONDS = 5.0
TRIES = 5
CHUNK = 1 << 20
_MISSING = {"NoSuchKey", "NoSuchBucket"}
_PASSING = {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Origin:
    """Where an object comes from; kept in its metadata, so that it says which version it is."""

    run: str
    snapshot: str
    source: Source


@dataclass(frozen=True)
class Stat:
    """What the store says of a single-object dataset."""

    bytes: int
    run: str
    snapshot: str
    sha256: str
    rows: int


class Lake:
    """Objects and manifests of the three layers.

    Every method raises `StoreUnreachable` or `StoreRefused` when the store does not do its part.
    Keys are relative to the layer's bucket.
    """

    def __init__(self, client: Minio, endpoint: str, connections: int) -> None:
        self._client = client
        self._endpoint = endpoint
        self._connections = connections

    @classmethod
    def connect(cls, settings: Settings) -> Lake:
        """A lake on the store of the settings; nothing is sent yet."""
        http = urllib3.PoolManager(
            maxsize=settings.store_connections,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=settings.store_timeout),
            retries=urllib3.Retry(
                total=TRIES, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)
            ),
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        client = Minio(
            settings.endpoint,
            access_key=settings.access_key.get_secret_value(),
            secret_key=settings.secret_key.get_secret_value(),
            secure=settings.secure,
            http_client=http,
        )
        return cls(client, settings.endpoint, settings.store_connections)

    # -- objects ---------------------------------------------------------------

    def create_bucket(self, layer: Layer) -> None:
        """Make the layer's bucket, private, unless it is there."""
        with self._asking(f"create the bucket {layer}"):
            if self._client.bucket_exists(layer):
                return
            try:
                self._client.make_bucket(layer)
            except S3Error as error:
                # Another run was faster.
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    def sizes(self, layer: Layer, prefix: str) -> dict[str, int]:
        """Keys under a prefix, sorted, to their sizes in bytes."""
        with self._asking(f"list {layer}/{prefix}"):
            # Recursive, because some stores list an emptied prefix for a while.
            listed = self._client.list_objects(layer, prefix, recursive=True)
            found = [(o.object_name, o.size) for o in listed if not o.is_dir]
        return {key: size or 0 for key, size in sorted((k or "", s) for k, s in found)}

    def put(
        self,
        layer: Layer,
        key: str,
        content: bytes,
        content_type: str = "application/octet-stream",
    ) -> None:
        """Store an object, whole or not at all."""
        with self._asking(f"store {layer}/{key}"):
            self._client.put_object(layer, key, io.BytesIO(content), len(content), content_type)

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:
        """Remove objects; one that is gone already is no error."""
        with self._asking(f"remove objects of {layer}"):
            for error in self._client.remove_objects(layer, map(DeleteObject, keys)):
                raise self._error(f"remove {layer}/{error.name}", error.code or "no code")

    def read(self, layer: Layer, entry: StoredObject) -> bytes:
        """The content of an object that a manifest names, checked against it.

        Raises:
            ObjectMissing, ObjectDiffers: it is not there, or not what the manifest says.
        """
        return b"".join(self.chunks(layer, entry))

    def chunks(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, in pieces of a MiB; the check comes with the last one."""
        name = f"{layer}/{entry.key}"
        digest = hashlib.sha256()
        with self._asking(f"read {name}", missing=name):
            for chunk in self._stream(layer, entry.key):
                digest.update(chunk)
                yield chunk
        if digest.hexdigest() != entry.sha256:
            raise ObjectDiffers(name, "sha256", entry.sha256, digest.hexdigest())

    def lines(self, layer: Layer, entry: StoredObject) -> Iterator[bytes]:
        """As `read`, line by line."""
        rest = b""
        for chunk in self.chunks(layer, entry):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results of some work on the store, in order, a few done at a time."""
        with ThreadPoolExecutor(self._connections) as pool:
            return list(pool.map(work, items))

    # -- versions of one object ------------------------------------------------

    def stat(self, layer: Layer, key: str) -> Stat | None:
        """What a published object says of itself, or None where there is none."""
        try:
            with self._asking(f"look at {layer}/{key}", missing=f"{layer}/{key}"):
                found = self._client.stat_object(layer, key)
        except ObjectMissing:
            return None
        told = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in (found.metadata or {}).items()
        }
        return Stat(
            bytes=found.size or 0,
            run=told.get("run", ""),
            snapshot=told.get("snapshot", ""),
            sha256=told.get("sha256", ""),
            rows=int(told.get("rows", 0)),
        )

    def publish(
        self,
        layer: Layer,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        origin: Origin,
    ) -> bool:
        """Make some content the version of a single-object dataset, by one PUT.

        Returns:
            Whether it was written: the same content of the same snapshot is not, again.
        """
        there = self.stat(layer, entry.key)
        if there and (there.sha256, there.snapshot) == (entry.sha256, origin.snapshot):
            return False
        metadata = _metadata(entry, origin)
        with self._asking(f"store {layer}/{entry.key}"):
            if isinstance(content, Path):
                self._client.fput_object(layer, entry.key, str(content), content_type, metadata)
            else:
                self._client.put_object(
                    layer, entry.key, io.BytesIO(content), len(content), content_type, metadata
                )
        return True

    def copy(self, layer: Layer, key: str, to: StoredObject, origin: Origin) -> None:
        """Copy an object within its layer, inside the store.

        Raises:
            ObjectMissing: there is no such object.
        """
        with self._asking(f"copy {layer}/{key}", missing=f"{layer}/{key}"):
            self._client.copy_object(
                layer,
                to.key,
                CopySource(layer, key),
                metadata={"Content-Type": "application/json", **_metadata(to, origin)},
                metadata_directive=REPLACE,
            )

    # -- manifests -------------------------------------------------------------

    def manifest(self, dataset: Dataset) -> tuple[Manifest, Source]:
        """A dataset's manifest, and the same as the source of what is made from it.

        Raises:
            ManifestMissing, ManifestUnreadable: the dataset's block has to be run.
        """
        name = f"{dataset.layer}/{dataset.manifest}"
        try:
            with self._asking(f"read {name}", missing=name):
                content = b"".join(self._stream(dataset.layer, dataset.manifest))
        except ObjectMissing:
            raise ManifestMissing(name, dataset.block) from None
        try:
            return Manifest.from_bytes(content), Source(
                key=dataset.manifest, sha256=sha256(content)
            )
        except ValueError as error:
            raise ManifestUnreadable(name, str(error), dataset.block) from None

    def publish_manifest(self, dataset: Dataset, manifest: Manifest) -> None:
        """Make a manifest its dataset's current one."""
        self.put(dataset.layer, dataset.manifest, manifest.to_bytes(), "application/json")

    def _stream(self, layer: Layer, key: str) -> Iterator[bytes]:
        """An object's content in pieces; the connection goes back to the pool after the last."""
        response = self._client.get_object(layer, key)
        try:
            yield from response.stream(CHUNK)
        finally:
            response.close()
            response.release_conn()

    # -- the store's errors ----------------------------------------------------

    @contextmanager
    def _asking(self, action: str, missing: str | None = None) -> Iterator[None]:
        """Turn whatever the client raises into our tree."""
        try:
            yield
        except S3Error as error:
            if missing and error.code in _MISSING:
                raise ObjectMissing(missing) from None
            raise self._error(action, error.code or "no code") from None
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnreachable(self._endpoint, action, _reason(error)) from None

    def _error(self, action: str, code: str) -> StoreError:
        kind = StoreUnreachable if code in _PASSING else StoreRefused
        return kind(self._endpoint, action, code)


def _metadata(entry: StoredObject, origin: Origin) -> dict[str, str | list[str] | tuple[str]]:
    return {
        "run": origin.run,
        "snapshot": origin.snapshot,
        "sha256": entry.sha256,
        "rows": str(entry.rows),
        "source-key": origin.source.key,
        "source-sha256": origin.source.sha256,
    }


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return str(inner).rpartition(">: ")[2] or type(inner).__name__
