"""The object store: the only module that knows its client. Buckets are those of the layers."""

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
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import ParseError

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error, ServerError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt
from typing_extensions import Self

from ..errors import BucketMissing, ObjectMissing, SettingError, StoreError, StoreUnreachable
from ..settings import Settings
from .datasets import Layer
from .records import CONTENT_TYPE
from .refusals import LONGEST_MESSAGE, refusal

CONNECT_SECONDS = 5.0
TRIES = 5  # after the first, where no answer comes
BUSY_TRIES = 8  # after the first, where the store answers that it is busy
BACKOFF_SECONDS = 0.2  # doubling from the second try on
LONGEST_BACKOFF_SECONDS = 3.2
SKEW_SECONDS = 900.0  # S3 refuses requests that are older, or later, than that
CHUNK = 1 << 20
_BUSY_STATUS = (408, 429, 500, 502, 503, 504)
_CONDITION_FAILED = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"}
_CONNECTION = re.compile(r"^(?:<.*>|\w+\(host=[^)]*\)): ")
"""How urllib3 begins its messages: with the object that failed."""
_FAILED = (MinioException, urllib3.exceptions.HTTPError, OSError, ParseError)
"""What the client raises where no answer of S3 came."""

T = TypeVar("T")
R = TypeVar("R")
Headers = dict[str, str | list[str] | tuple[str]]
"""As minio-py takes them."""


@dataclass(frozen=True)
class Listed:
    """What a listing says of an object; the time is in Unix seconds, by the store's clock."""

    bytes: int
    modified: float


@dataclass(frozen=True)
class Head:
    """What the store says of an object without its content; names of metadata in lower case."""

    etag: str
    bytes: int
    metadata: Mapping[str, str]


class Store:
    """Objects of the three buckets.

    Every method raises `StoreUnreachable` or `StoreRefused` when the store does not do its part.
    Keys are relative to the layer's bucket.
    """

    def __init__(self, client: Minio, endpoint: str, connections: int, region: str = "") -> None:
        self._client = client
        self.endpoint = endpoint
        self._connections = connections
        self._region = region

    @classmethod
    def connect(cls, settings: Settings, patient: bool = True) -> Self:
        """The store of the settings; nothing is sent yet.

        Args:
            settings: where it is, its keys and its limits.
            patient: whether to try often; else once more.

        Raises:
            SettingError: the client takes no such address or region.
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
                region=settings.region or None,  # else the store is asked for that of each bucket
                http_client=http,
            )
        except ValueError as error:
            raise SettingError("MINIO_ENDPOINT", f"is not usable: {error}") from None
        return cls(client, settings.endpoint, settings.store_connections, settings.region)

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
        """As `sizes`, but to their ETags.

        Where a store neither encrypts nor compresses, that is the MD5 of an object of one PUT.
        """
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
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store an object, whole or not at all."""
        with self._asking(f"store {layer}/{key}"):
            self._client.put_object(
                layer, key, io.BytesIO(content), len(content), content_type, dict(metadata or {})
            )

    def put_file(
        self, layer: Layer, key: str, file: Path, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Store a file of any size as an object, in parts; whole or not at all."""
        with self._asking(f"store {layer}/{key}"):
            self._client.fput_object(layer, key, str(file), content_type, dict(metadata))

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
                action = f"remove {layer}/{error.name}"
                raise refusal(self.endpoint, action, error.code or "", error.message or "")

    def head(self, layer: Layer, key: str) -> Head | None:
        """What the store says of an object, or None where there is none."""
        try:
            with self._asking(f"look at {layer}/{key}", missing=f"{layer}/{key}"):
                found = self._client.stat_object(layer, key)
        except ObjectMissing:
            return None
        told = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in (found.metadata or {}).items()
        }
        return Head(found.etag or "", found.size or 0, told)

    def part(
        self, layer: Layer, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        """An object's content from an offset to another, or to its end, in pieces of a MiB.

        A body that is cut in the middle is taken up where it ended.

        Raises:
            ObjectMissing: it is not there, or not that of the ETag any more.
        """
        name = f"{layer}/{key}"
        same: Headers = {"If-Match": f'"{etag}"'} if etag else {}
        with self._asking(f"read {name}", missing=name):
            for attempt in _tries_of_a_cut_body():
                with attempt:
                    if start == end:
                        return
                    length = end - start if end else 0
                    response = self._client.get_object(
                        layer, key, start, length, request_headers=dict(same)
                    )
                    same = {"If-Match": response.headers["etag"]}
                    with _released(response):
                        for chunk in response.stream(CHUNK):
                            start += len(chunk)
                            yield chunk

    def copy_if(self, layer: Layer, key: str, etag: str, to: str) -> bool:
        """Copy an object within its bucket, if it still is that of an ETag; whether it was."""
        with self._asking(f"copy {layer}/{key}"):
            try:
                source = CopySource(layer, key, match_etag=etag)
                self._client.copy_object(layer, to, source)
            except S3Error as error:
                if error.code not in _CONDITION_FAILED:
                    raise
                return False
        return True

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results of some work on the store, in order, a few done at a time."""
        with ThreadPoolExecutor(self._connections) as pool:
            return list(pool.map(work, items))

    @contextmanager
    def _asking(self, action: str, missing: str | None = None) -> Iterator[None]:
        """Turn whatever the client raises into our tree."""
        try:
            yield
        except S3Error as error:
            # MinIO tells the code of an answer without a body, such as one to HEAD, in a header.
            headers = error.response.headers
            code = headers.get("x-minio-error-code") or error.code or ""
            if code == "AccessDenied" and _seconds_apart(headers.get("Date")) > SKEW_SECONDS:
                code = "RequestTimeTooSkewed"  # of which an answer to HEAD says nothing
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
        region = self._region or "us-east-1"
        return refusal(self.endpoint, action, code, message or "", status, region)


def tries(unanswered: int, busy: int) -> urllib3.Retry:
    """How often a request to a store is sent again, and how long is waited before.

    A store's `Retry-After` is not obeyed: MinIO sends one of a minute with each 503, which is
    longer than a lease.

    Args:
        unanswered: times, where no answer comes.
        busy: times, where the answer is that it cannot serve now; the last such answer is given.
    """
    return urllib3.Retry(
        total=None,
        connect=unanswered,
        read=unanswered,
        other=unanswered,
        redirect=0,
        status=busy,
        status_forcelist=_BUSY_STATUS,
        allowed_methods=None,  # POST too, by which objects are removed: again does no harm
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=False,
        backoff_factor=BACKOFF_SECONDS,
        backoff_max=LONGEST_BACKOFF_SECONDS,
        backoff_jitter=BACKOFF_SECONDS,
    )


def _seconds_apart(date: str | None) -> float:
    """How far the time of an answer is from ours; 0 where it tells none."""
    try:
        told = parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return 0.0
    return abs(told - time.time())


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


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    said = _CONNECTION.sub("", " ".join(str(inner).split()))
    return said[:LONGEST_MESSAGE] or type(inner).__name__
