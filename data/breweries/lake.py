"""The lake: three buckets of an S3-compatible store. The only module that knows the store."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from .datasets import Dataset, Layer
from .errors import (
    BucketMissing,
    LakeError,
    ManifestMissing,
    ManifestTooNew,
    ManifestUnreadable,
    ObjectDiffers,
    ObjectMissing,
    StoreError,
    StoreRefused,
    StoreUnreachable,
    TurnLost,
)
from .manifest import MANIFEST_VERSION, Manifest, Source, StoredObject, sha256, version_of
from .records import CONTENT_TYPE, split_lines
from .settings import Settings

CONNECT_SECONDS = 5.0
TRIES = 5
CHUNK = 1 << 20
LARGEST_SINGLE_PUT = 16 << 20  # bytes; larger files go up in parts, without a condition
# Between the PUT of an object and that of the manifest that describes it, and then some.
REPLACEMENT_SECONDS = 2.0
_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_PASSING = {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"}

T = TypeVar("T")
R = TypeVar("R")
Headers = dict[str, str | list[str] | tuple[str]]
"""As minio-py takes them."""


@dataclass(frozen=True)
class Origin:
    """Where an object comes from; kept in its metadata, so that it says which version it is."""

    run: str
    snapshot: str
    source: Source
    rows_in: int = 0


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

    @property
    def entry(self) -> StoredObject:
        """As a manifest would name it."""
        return StoredObject(key=self.key, rows=self.rows, bytes=self.bytes, sha256=self.sha256)


@dataclass(frozen=True)
class Listed:
    """What a listing says of an object; the time is in Unix seconds, by the store's clock."""

    bytes: int
    modified: float


@dataclass(frozen=True)
class Version:
    """A dataset's published version: its manifest, by which ETag, and the same as a source."""

    manifest: Manifest
    source: Source
    etag: str


class Lake:
    """Objects and manifests of the three layers.

    Every method raises `StoreUnreachable` or `StoreRefused` when the store does not do its part.
    Keys are relative to the layer's bucket.
    """

    def __init__(self, client: Minio, endpoint: str, connections: int) -> None:
        self._client = client
        self.endpoint = endpoint
        self._connections = connections

    @classmethod
    def connect(cls, settings: Settings, retries: int = TRIES) -> Lake:
        """A lake on the store of the settings; nothing is sent yet."""
        connect = min(CONNECT_SECONDS, settings.store_timeout)
        http = urllib3.PoolManager(
            maxsize=settings.store_connections + 1,  # and the lease's
            timeout=urllib3.Timeout(connect=connect, read=settings.store_timeout),
            retries=urllib3.Retry(
                total=retries,
                backoff_factor=0.2,
                status_forcelist=(500, 502, 503, 504),
            ),
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(settings.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()),
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
        return {key: found.size or 0 for key, found in self._listed(layer, prefix)}

    def etags(self, layer: Layer, prefix: str) -> dict[str, str]:
        """As `sizes`, but to their ETags: for an object of one PUT, the MD5 of its content."""
        return {key: (found.etag or "").strip('"') for key, found in self._listed(layer, prefix)}

    def listed(self, layer: Layer, prefix: str) -> dict[str, Listed]:
        """As `sizes`, but with the time of each object's last PUT."""
        return {
            key: Listed(found.size or 0, found.last_modified.timestamp())
            for key, found in self._listed(layer, prefix)
            if found.last_modified
        }

    def _listed(self, layer: Layer, prefix: str) -> list[tuple[str, Object]]:
        """Keys under a prefix, sorted, and what the store says of each."""
        with self._asking(f"list {layer}/{prefix}"):
            # Recursive, because some stores list an emptied prefix for a while.
            listed = self._client.list_objects(layer, prefix, recursive=True)
            found = {o.object_name or "": o for o in listed if not o.is_dir}
        return sorted(found.items())

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

    def put_if(
        self,
        layer: Layer,
        key: str,
        content: bytes,
        etag: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        """Store an object if it still is the one of an ETag, or, for None, if there is none.

        Args:
            layer: the bucket.
            key: the object's.
            content: the new one, JSON unless the headers say otherwise.
            etag: of the object that it replaces.
            headers: to keep with it.

        Returns:
            Its new ETag; None where another writer was faster.
        """
        condition = {"If-Match": f'"{etag}"'} if etag else {"If-None-Match": "*"}
        sent: Headers = {"Content-Type": CONTENT_TYPE, **(headers or {}), **condition}
        with self._asking(f"store {layer}/{key}"):
            try:
                # minio-py 7.2.20 takes conditions here alone.
                written = self._client._put_object(layer, key, content, sent)
            except S3Error as error:
                if error.code not in _CONDITION_FAILED:
                    raise
            else:
                return written.etag
        # Our own write fails so too, when its answer was lost and it was sent again.
        there = self.get(layer, key)
        return there[1] if there and there[0] == content else None

    def get(self, layer: Layer, key: str) -> tuple[bytes, str] | None:
        """An object's content and ETag, or None where there is none."""
        name = f"{layer}/{key}"
        try:
            with self._asking(f"read {name}", missing=name):
                for attempt in _tries_of_a_cut_body():
                    with attempt:
                        response = self._client.get_object(layer, key)
                        with _released(response):
                            content = response.read()
        except ObjectMissing:
            return None
        return content, response.headers["etag"].strip('"')

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
        return split_lines(self.chunks(layer, entry))

    def part(
        self, layer: Layer, key: str, start: int, end: int, etag: str | None = None
    ) -> Iterator[bytes]:
        """An object's content from an offset to another (or its end), in pieces; not checked.

        Raises:
            ObjectMissing: it is not there, or not that of the ETag any more.
        """
        if start == end:
            return
        name = f"{layer}/{key}"
        with self._asking(f"read {name}", missing=name):
            yield from self._stream(layer, key, start, end, etag)

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
            key=key,
            etag=found.etag or "",
            bytes=found.size or 0,
            run=told.get("run", ""),
            snapshot=told.get("snapshot", ""),
            sha256=told.get("sha256", ""),
            rows=int(told.get("rows", 0)),
            rows_in=int(told.get("rows-in", 0)),
            source=Source(key=told.get("source-key", ""), sha256=told.get("source-sha256", "")),
        )

    def publish(
        self,
        layer: Layer,
        entry: StoredObject,
        content: bytes | Path,
        content_type: str,
        origin: Origin,
        there: Stat | None,
    ) -> bool:
        """Make some content the version of a single-object dataset, by one PUT.

        Args:
            layer: the bucket.
            entry: the object, as its manifest will name it.
            content: of the object, or a file of it.
            content_type: its media type.
            origin: what it says of itself.
            there: the object that it replaces, as it was found; None where there was none.

        Returns:
            Whether it was written: the same content of the same snapshot is not, again.

        Raises:
            TurnLost: another run wrote it meanwhile.
        """
        if there and (there.sha256, there.snapshot) == (entry.sha256, origin.snapshot):
            return False
        metadata = _metadata(entry, origin)
        if entry.bytes > LARGEST_SINGLE_PUT and isinstance(content, Path):
            if self.stat(layer, entry.key) != there:
                raise TurnLost(f"{layer}/{entry.key}")
            with self._asking(f"store {layer}/{entry.key}"):
                self._client.fput_object(
                    layer, entry.key, str(content), content_type, dict(metadata)
                )
            return True
        whole = content.read_bytes() if isinstance(content, Path) else content
        headers = {
            "Content-Type": content_type,
            **{f"x-amz-meta-{name}": value for name, value in metadata.items()},
        }
        if not self.put_if(layer, entry.key, whole, there.etag if there else None, headers):
            raise TurnLost(f"{layer}/{entry.key}")
        return True

    def copy(self, layer: Layer, key: str, version: Stat, to: str) -> None:
        """Copy a version of an object within its layer, with what it says of itself.

        Raises:
            TurnLost: another run replaced it meanwhile.
        """
        action = f"copy {layer}/{key}"
        with self._asking(action):
            try:
                source = CopySource(layer, key, match_etag=version.etag)
                self._client.copy_object(layer, to, source)
            except S3Error as error:
                if error.code not in _CONDITION_FAILED:
                    raise
                raise TurnLost(f"{layer}/{key}") from None

    # -- manifests -------------------------------------------------------------

    def version(self, dataset: Dataset) -> Version:
        """A dataset's published version.

        Raises:
            ManifestMissing, ManifestUnreadable: the dataset's block has to be run.
            ManifestTooNew: a later release wrote it.
        """
        name = f"{dataset.layer}/{dataset.manifest}"
        there = self.get(dataset.layer, dataset.manifest)
        if there is None:
            raise ManifestMissing(name, dataset.block)
        content, etag = there
        try:
            if (written_as := version_of(content)) > MANIFEST_VERSION:
                raise ManifestTooNew(name, written_as, MANIFEST_VERSION)
            manifest = Manifest.from_bytes(content)
        except ValueError as error:
            raise ManifestUnreadable(name, str(error), dataset.block) from None
        return Version(manifest, Source(key=dataset.manifest, sha256=sha256(content)), etag)

    def follow(self, dataset: Dataset, read: Callable[[Version], R]) -> R:
        """What reading a dataset gives; read anew where its version was replaced meanwhile.

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

        Where one object is the version, its own PUT is the publish: until its manifest follows, or
        if a crash keeps that from following, the object says itself what it is.
        """
        end = time.monotonic() + REPLACEMENT_SECONDS
        while time.monotonic() < end:
            told = self.stat(dataset.layer, dataset.manifest)
            if told and told.etag != version.etag:
                return self.version(dataset)
            there = self.stat(dataset.layer, dataset.object) if dataset.object else None
            if there and there.sha256 and there.entry not in version.manifest.objects:
                own = {"run": there.run, "snapshot": there.snapshot, "source": there.source}
                rows = {"rows_in": there.rows_in, "rows_out": there.rows}
                update = {**own, **rows, "objects": (there.entry,), "checks": (), "parts": None}
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
        return self.put_if(dataset.layer, dataset.manifest, content, etag) is not None

    def _stream(
        self, layer: Layer, key: str, start: int = 0, end: int = 0, etag: str | None = None
    ) -> Iterator[bytes]:
        """An object's content in pieces; one cut in the middle is taken up where it ended."""
        same: Headers = {"If-Match": f'"{etag}"'} if etag else {}
        for attempt in _tries_of_a_cut_body():
            with attempt:
                length = end - start if end else 0
                response = self._client.get_object(
                    layer, key, start, length, request_headers=dict(same)
                )
                same = {"If-Match": response.headers["etag"]}
                with _released(response):
                    for chunk in response.stream(CHUNK):
                        start += len(chunk)
                        yield chunk

    # -- the store's errors ----------------------------------------------------

    @contextmanager
    def _asking(self, action: str, missing: str | None = None) -> Iterator[None]:
        """Turn whatever the client raises into our tree."""
        try:
            yield
        except S3Error as error:
            if missing and error.code in {"NoSuchKey", "PreconditionFailed"}:
                raise ObjectMissing(missing) from None
            if error.code == "NoSuchBucket":
                raise BucketMissing(self.endpoint, action, error.bucket_name or "") from None
            raise self._error(action, error.code or "no code") from None
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnreachable(self.endpoint, action, _reason(error)) from None

    def _error(self, action: str, code: str) -> StoreError:
        kind = StoreUnreachable if code in _PASSING else StoreRefused
        return kind(self.endpoint, action, code)


def _tries_of_a_cut_body() -> Retrying:
    cut = retry_if_exception_type(urllib3.exceptions.ProtocolError)
    return Retrying(stop=stop_after_attempt(TRIES), retry=cut, reraise=True)


@contextmanager
def _released(response: urllib3.BaseHTTPResponse) -> Iterator[None]:
    try:
        yield
    finally:
        response.close()
        response.release_conn()


def _metadata(entry: StoredObject, origin: Origin) -> dict[str, str]:
    return {
        "run": origin.run,
        "snapshot": origin.snapshot,
        "sha256": entry.sha256,
        "rows": str(entry.rows),
        "rows-in": str(origin.rows_in),
        "source-key": origin.source.key,
        "source-sha256": origin.source.sha256,
    }


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    said = " ".join(str(inner).split())
    return said.rpartition(">: ")[2] or type(inner).__name__
