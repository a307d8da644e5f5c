"""The object store. Only this module knows its client. Each layer has a bucket."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import ParseError

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError
from typing_extensions import Self

from ..errors import SettingError
from ..settings import LakeSettings
from .datasets import Layer
from .errors import BucketMissing, ObjectMissing, StoreError, StoreUnreachable
from .records import CONTENT_TYPE
from .refusals import LONGEST_MESSAGE, refusal
from .tries import BUSY_TRIES, TRIES, tries, tries_of_a_cut_body

CONNECT_SECONDS = 5.0
SKEW_SECONDS = 900.0  # S3 refuses a request if its time differs by more
CHUNK = 1 << 20
AT_ONCE = 256  # items of `each` per batch
META = "x-amz-meta-"
_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_CONNECTION = re.compile(r"^(?:<.*>|\w+\(host=[^)]*\)): ")  # what urllib3's messages begin with
_FAILED = (MinioException, urllib3.exceptions.HTTPError, OSError, ParseError)
"""The client's errors if no S3 response came."""

T = TypeVar("T")
R = TypeVar("R")
Headers = dict[str, str | list[str] | tuple[str]]  # the type that minio-py expects


@dataclass(frozen=True)
class Listed:
    """An object in a listing."""

    bytes: int
    modified: float
    """The time of its last PUT, in Unix seconds, by the store's clock."""
    etag: str
    """For an object of one PUT, its MD5, if the store neither encrypts nor compresses."""


@dataclass(frozen=True)
class Head:
    """The response to HEAD: an object without its content; names of metadata in lower case."""

    etag: str
    bytes: int
    metadata: Mapping[str, str]


class Store:
    """Objects of the three buckets.

    Every method raises a `StoreError` if the store fails or refuses. Keys are relative to the
    layer's bucket. Its name is `LAKE_BUCKET_PREFIX` and the name of the layer.
    """

    def __init__(self, client: Minio, settings: LakeSettings) -> None:
        self._client = client
        self.endpoint = settings.endpoint
        self._settings = settings

    @classmethod
    def connect(cls, settings: LakeSettings, patient: bool = True) -> Self:
        """The store of the settings; it sends no request yet.

        Args:
            settings: the store's address, keys and limits.
            patient: whether to retry often; else it retries once.

        Raises:
            SettingError: the address or region is not valid.
        """
        connect = min(CONNECT_SECONDS, settings.store_timeout)
        http = urllib3.PoolManager(
            maxsize=settings.store_connections,
            timeout=urllib3.Timeout(connect=connect, read=settings.store_timeout),
            retries=tries(TRIES, BUSY_TRIES) if patient else tries(1, 1),
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(settings.ca_file or os.environ.get("SSL_CERT_FILE") or certifi.where()),
        )
        try:
            client = Minio(
                settings.endpoint,
                access_key=settings.access_key.get_secret_value(),
                secret_key=settings.secret_key.get_secret_value(),
                secure=settings.secure,
                region=settings.region or None,  # without one, the client asks for each bucket's
                http_client=http,
            )
        except ValueError as error:
            raise SettingError("MINIO_ENDPOINT", f"is not usable: {error}") from None
        if settings.virtual_host_style:
            client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
        return cls(client, settings)

    def _bucket(self, layer: Layer) -> str:
        return self._settings.bucket_prefix + layer

    def create_bucket(self, layer: Layer) -> None:
        """Create the layer's bucket, private, unless it exists."""
        with self._asking(f"create the bucket {layer}"):
            if self._client.bucket_exists(self._bucket(layer)):
                return
            try:
                self._client.make_bucket(self._bucket(layer))
            except S3Error as error:
                # Another run was faster.
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    def listed(self, layer: Layer, prefix: str) -> dict[str, Listed]:
        """The objects under a prefix, by key, sorted."""
        with self._asking(f"list {layer}/{prefix}"):
            # Recursive, because some stores list an empty prefix for a while.
            listed = self._client.list_objects(self._bucket(layer), prefix, recursive=True)
            found = {
                o.object_name or "": Listed(
                    o.size or 0,
                    o.last_modified.timestamp() if o.last_modified else 0.0,
                    (o.etag or "").strip('"'),
                )
                for o in listed
                if not o.is_dir
            }
        return dict(sorted(found.items()))

    def put(
        self,
        layer: Layer,
        key: str,
        content: bytes,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store an object atomically."""
        with self._asking(f"store {layer}/{key}"):
            self._client.put_object(
                self._bucket(layer),
                key,
                io.BytesIO(content),
                len(content),
                content_type,
                dict(metadata or {}),
            )

    def put_file(
        self, layer: Layer, key: str, file: Path, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Store a file of any size as an object, in parts but atomically."""
        with self._asking(f"store {layer}/{key}"):
            self._client.fput_object(
                self._bucket(layer), key, str(file), content_type, dict(metadata)
            )

    def put_if(
        self,
        layer: Layer,
        key: str,
        content: bytes,
        etag: str | None,
        content_type: str = CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
    ) -> str | None:
        """Replace an object if its ETag is still the given one; without one, create it.

        Args:
            layer: the bucket.
            key: the object's key.
            content: the new content.
            etag: the ETag of the object to replace; None to create the object.
            content_type: its media type.
            metadata: its metadata.

        Returns:
            The new ETag; None if another writer was faster.
        """
        condition = {"If-Match": f'"{etag}"'} if etag else {"If-None-Match": "*"}
        more = {f"{META}{name}": value for name, value in (metadata or {}).items()}
        sent: Headers = {"Content-Type": content_type, **more, **condition}
        with self._asking(f"store {layer}/{key}"):
            try:
                # In minio-py 7.2.20, only this function supports conditions.
                written = self._client._put_object(self._bucket(layer), key, content, sent)
            except S3Error as error:
                if error.code not in _CONDITION_FAILED:
                    raise
            else:
                return written.etag
        # Our own write fails like this too, if its response was lost and the client sent it again.
        stored = self.get(layer, key)
        return stored[1] if stored and stored[0] == content else None

    def get(self, layer: Layer, key: str) -> tuple[bytes, str] | None:
        """An object's content and ETag; None if it does not exist."""
        name = f"{layer}/{key}"
        try:
            with self._asking(f"read {name}", missing=name):
                for attempt in tries_of_a_cut_body():
                    with attempt:
                        response = self._client.get_object(self._bucket(layer), key)
                        with _released(response):
                            content = response.read()
        except ObjectMissing:
            return None
        return content, response.headers["etag"].strip('"')

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:
        """Remove objects; a missing object is no error."""
        with self._asking(f"remove objects of {layer}"):
            for error in self._client.remove_objects(self._bucket(layer), map(DeleteObject, keys)):
                action = f"remove {layer}/{error.name}"
                raise refusal(self.endpoint, action, error.code or "", error.message or "")

    def head(self, layer: Layer, key: str) -> Head | None:
        """The HEAD of an object; None if it does not exist."""
        try:
            with self._asking(f"look at {layer}/{key}", missing=f"{layer}/{key}"):
                found = self._client.stat_object(self._bucket(layer), key)
        except ObjectMissing:
            return None
        metadata = {
            name.lower().removeprefix(META): value for name, value in (found.metadata or {}).items()
        }
        return Head(found.etag or "", found.size or 0, metadata)

    def stream(
        self, layer: Layer, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """Yield an object's content from `start` up to `end` or its end, in chunks of 1 MiB.

        If a body is cut, a new request continues from there.

        Raises:
            ObjectMissing: the object is missing, or has another ETag now.
        """
        name = f"{layer}/{key}"
        same: Headers = {"If-Match": f'"{etag}"'} if etag else {}
        with self._asking(f"read {name}", missing=name):
            for attempt in tries_of_a_cut_body():
                with attempt:
                    if start == end:
                        return
                    length = end - start if end else 0
                    response = self._client.get_object(
                        self._bucket(layer), key, start, length, request_headers=dict(same)
                    )
                    same = {"If-Match": response.headers["etag"]}
                    with _released(response):
                        for chunk in response.stream(CHUNK):
                            start += len(chunk)
                            yield chunk

    def copy_if(self, layer: Layer, key: str, etag: str, to: str) -> bool:
        """Copy an object within its bucket if its ETag is still the given one; returns whether."""
        with self._asking(f"copy {layer}/{key}"):
            try:
                source = CopySource(self._bucket(layer), key, match_etag=etag)
                self._client.copy_object(self._bucket(layer), to, source)
            except S3Error as error:
                if error.code not in _CONDITION_FAILED:
                    raise
                return False
        return True

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Do some work on each item, a few at a time, and yield the results in order.

        Items are taken in batches, as they are needed. While they are made, and while the caller
        uses the results, no thread works: threads that share Python's lock would only cost time.
        """
        left = iter(items)
        with ThreadPoolExecutor(self._settings.store_connections) as pool:
            while batch := list(islice(left, AT_ONCE)):
                yield from list(pool.map(work, batch))

    @contextmanager
    def _asking(self, action: str, missing: str | None = None) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except S3Error as error:
            # If a response has no body, such as one to HEAD, MinIO puts the code into a header.
            headers = error.response.headers
            code = headers.get("x-minio-error-code") or error.code or ""
            if code == "AccessDenied" and _seconds_apart(headers.get("Date")) > SKEW_SECONDS:
                code = "RequestTimeTooSkewed"  # a response to HEAD does not contain this code
            if missing and code in {"NoSuchKey", "PreconditionFailed"}:
                raise ObjectMissing(missing) from None
            if code == "NoSuchBucket":
                raise BucketMissing(self.endpoint, action, error.bucket_name or "") from None
            raise self._refusal(action, code, error.message, error.response.status) from None
        except ServerError as error:
            raise self._refusal(action, "", "", error.status_code) from None
        except _FAILED as error:
            raise StoreUnreachable(self.endpoint, action, _reason(error)) from None

    def _refusal(self, action: str, code: str, message: str | None, status: int) -> StoreError:
        region = self._settings.region or "us-east-1"
        return refusal(self.endpoint, action, code, message or "", status, region)


def _seconds_apart(date: str | None) -> float:
    """Seconds between the time of a response and ours; 0 if the response has no time."""
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return 0.0
    return abs(theirs - time.time())


@contextmanager
def _released(response: urllib3.BaseHTTPResponse) -> Iterator[None]:
    try:
        yield
    finally:
        response.close()
        response.release_conn()


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    message = _CONNECTION.sub("", " ".join(str(inner).split()))
    return message[:LONGEST_MESSAGE] or type(inner).__name__
