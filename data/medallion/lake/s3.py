"""An S3-compatible store. Only this module knows its client."""

# ruff: noqa: D102 - as Store says

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, ParseError, fromstring

import certifi
import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from tenacity import retry_if_exception, retry_if_exception_type

from ..errors import SettingError
from ..host.network import trusting
from ..host.workspace import workspace
from ..settings import LakeSettings
from . import errors
from .credentials import keys_of
from .datasets import Layer
from .refusals import reason_of, refusal
from .retries import BUSY_RETRIES, RETRIES, retries, retries_if
from .store import BINARY, CHUNK, ObjectInfo

CONNECT_SECONDS = 5.0
KEYS_TIMEOUT = urllib3.Timeout(connect=2.0, read=10.0)  # seconds; where a role's keys come from
SKEW_SECONDS = 900.0  # S3 refuses a request if its time differs by more
LARGEST_SINGLE_PUT = 16 << 20  # bytes; larger files are uploaded in parts
_LACKING = {"NotImplemented", "MethodNotAllowed", "UnsupportedOperation"}  # an operation
_TOO_LARGE = {"EntityTooLarge", "InvalidRequest"}  # over 5 GiB, to a copy
_CUT = retry_if_exception_type(urllib3.exceptions.ProtocolError)  # a body
_FAILED = (MinioException, urllib3.exceptions.HTTPError, OSError)  # if no response came

Headers = dict[str, str | list[str] | tuple[str]]  # the type that minio-py expects


class S3Store:
    """An S3-compatible store; a layer's bucket is `LAKE_BUCKET_PREFIX` and the layer's name."""

    def __init__(self, settings: LakeSettings, retry_more: bool = True) -> None:
        """Make the store of the settings, without a request; unless `retry_more`, it retries once.

        Raises:
            SettingError: the address or region is not valid.
        """
        self.endpoint = settings.endpoint
        self.connections = settings.store_connections
        self._settings = settings
        self._keys = keys_of(settings, _http(settings, KEYS_TIMEOUT, retries(1, 2)))
        connect = min(CONNECT_SECONDS, settings.store_timeout)
        timeout = urllib3.Timeout(connect=connect, read=settings.store_timeout)
        policy = retries(RETRIES, BUSY_RETRIES) if retry_more else retries(1, 1)
        try:
            self._client = Minio(
                settings.endpoint,
                credentials=self._keys,
                secure=settings.secure,
                region=settings.region or None,  # without one, the client asks for each bucket's
                http_client=_http(settings, timeout, policy),
            )
        except ValueError as error:
            raise SettingError("MINIO_ENDPOINT", f"is not usable: {error}") from None
        if settings.virtual_host_style:
            self._client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]

    def _bucket(self, layer: Layer) -> str:
        return self._settings.bucket_prefix + layer

    def create_bucket(self, layer: Layer) -> None:
        with self._asking(f"create the bucket {layer}"):
            if self._client.bucket_exists(self._bucket(layer)):
                return
            try:
                self._client.make_bucket(self._bucket(layer))
            except S3Error as error:
                # Another run was faster.
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    def listed(self, layer: Layer, prefix: str) -> dict[str, ObjectInfo]:
        action, token, found = f"list {layer}/{prefix}", "", dict[str, ObjectInfo]()
        while True:
            # Without a delimiter, because some stores list an empty prefix for a while. Not by
            # minio-py, which takes an error page for an empty list, and one form of time alone.
            query: Headers = {"list-type": "2", "prefix": prefix, "delimiter": ""}
            query |= {"encoding-type": "url"} | ({"continuation-token": token} if token else {})
            with self._asking(action):
                body = self._client._execute("GET", self._bucket(layer), query_params=query)
                page = fromstring(body.data)  # noqa: S314 - the store is trusted
            if page.tag.rpartition("}")[2] != "ListBucketResult":
                raise self._answered(action, f"no listing but {_start(body.data)}")
            decoded = unquote_plus if _text(page, "EncodingType") == "url" else str
            for one in page.iterfind("{*}Contents"):
                if not (key := decoded(_text(one, "Key"))).endswith("/"):
                    size, modified = _text(one, "Size"), _seconds(_text(one, "LastModified"))
                    etag = _text(one, "ETag").strip('"')
                    found[key] = ObjectInfo(int(size) if size.isdecimal() else 0, modified, etag)
            if _text(page, "IsTruncated").lower() != "true":
                return dict(sorted(found.items()))
            before, token = token, _text(page, "NextContinuationToken")
            if token in {"", before}:
                raise self._answered(action, "a part of the listing, without a token for the next")

    def get(self, layer: Layer, key: str) -> bytes | None:
        try:
            return b"".join(self.stream(layer, key))
        except errors.ObjectMissing:
            return None

    def stream(
        self, layer: Layer, key: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        name = f"{layer}/{key}"
        with self._asking(f"read {name}", missing=name):
            for attempt in retries_if(_CUT, waits=False):
                with attempt:
                    if start == end:
                        return
                    length = end - start if end else 0
                    response = self._client.get_object(self._bucket(layer), key, start, length)
                    with closing(response):
                        for chunk in response.stream(CHUNK):
                            start += len(chunk)
                            yield chunk

    def put(self, layer: Layer, key: str, content: bytes | Path, kind: str = BINARY) -> None:
        with self._asking(f"store {layer}/{key}"):
            if isinstance(content, Path) and content.stat().st_size > LARGEST_SINGLE_PUT:
                done = self._client.fput_object(self._bucket(layer), key, str(content), kind)
                if not (done.etag or done.location):  # the client overlooks an error
                    raise self._answered(f"store {layer}/{key}", "HTTP 200 without a result")
                return
            whole = content.read_bytes() if isinstance(content, Path) else content
            self._put(layer, key, whole, {"Content-Type": kind})

    def create(self, layer: Layer, key: str, content: bytes, kind: str = BINARY) -> bool:
        headers: Headers = {"Content-Type": kind, "If-None-Match": "*"}
        with self._asking(f"create {layer}/{key}"):
            try:
                # While another write of the same name is under way, AWS says to try again.
                conflict = retry_if_exception(lambda error: _status(error) == 409)
                for attempt in retries_if(conflict, waits=True):
                    with attempt:
                        self._put(layer, key, content, headers)
            except MinioException as error:
                if _status(error) in {409, 412}:
                    return False
                if _is_lacking(error):
                    raise errors.ConditionsUnsupported(self.endpoint) from None
                raise
        return True

    def copy(self, layer: Layer, key: str, to: str, kind: str = BINARY) -> None:
        name, bucket = f"{layer}/{key}", self._bucket(layer)
        with self._asking(f"copy {name}", missing=name):
            try:
                # Not by minio-py, which asks for the size first.
                headers: Headers = {**CopySource(bucket, key).gen_copy_headers()}
                done = self._client._execute("PUT", bucket, to, headers=headers)
                if fromstring(done.data).tag.endswith("CopyObjectResult"):  # noqa: S314 - as above
                    return  # a response of 200 can have an error in its body
            except MinioException as error:
                if not (_is_lacking(error) or getattr(error, "code", "") in _TOO_LARGE):
                    raise
            except ParseError:
                pass
        with workspace() as folder:
            file = folder / "copy"
            with file.open("wb") as content:
                content.writelines(self.stream(layer, key))
            self.put(layer, to, file, kind)

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:
        bucket, every, action = self._bucket(layer), list(keys), f"remove objects of {layer}"
        with self._asking(action):
            try:
                found = [*self._client.remove_objects(bucket, map(DeleteObject, every))]
            except MinioException as error:
                if not _is_lacking(error):
                    raise
                for key in every:  # the store removes only one object at a time
                    self._client.remove_object(bucket, key)
                return
        for refused in found:
            action = f"remove {layer}/{refused.name}" if refused.name else action
            raise self._refusal(action, refused.code or "", refused.message or "")

    def _put(self, layer: Layer, key: str, content: bytes, headers: Headers) -> None:
        response = self._client._execute(
            "PUT", self._bucket(layer), key, body=content, headers=headers, no_body_trace=True
        )
        if response.data.strip():
            raise self._answered(f"store {layer}/{key}", f"HTTP 200 with {_start(response.data)}")

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
            if missing and code == "NoSuchKey":
                raise errors.ObjectMissing(missing) from None
            if code == "NoSuchBucket":
                raise errors.BucketMissing(self.endpoint, action, error.bucket_name or "") from None
            raise self._refusal(action, code, error.message or "", error.response.status) from None
        except ServerError as error:
            raise self._refusal(action, "", "", error.status_code) from None
        except urllib3.exceptions.ProtocolError as error:
            # If no response comes, the client raises another error. SeaweedFS cuts the body where a
            # block of an object is damaged.
            cut = f"HTTP 200 with a body that is cut: {self._said(error)}"
            raise errors.StoreBusy(self.endpoint, action, cut) from None
        except _FAILED as error:
            raise errors.StoreUnreachable(self.endpoint, action, self._said(error)) from None
        except (ValueError, ParseError) as error:
            # The header that the client refuses holds a signature; the region was a page.
            reason = "a region" if "Invalid header" in str(error) else self._said(error)
            raise self._answered(action, f"not understood: {reason}") from None

    def _refusal(self, action: str, code: str, message: str, status: int = 0) -> errors.StoreError:
        if code == "InvalidAccessKeyId" and self._keys.expire:  # a store forgets what has expired
            return errors.StoreTokenRefused(self.endpoint, action, code, self._keys.source)
        region, said = self._settings.region or "us-east-1", self._keys.blank(message)
        return refusal(self.endpoint, action, code, said, status, region, self._keys.source)

    def _answered(self, action: str, reason: str) -> errors.StoreRequestFailed:
        return errors.StoreRequestFailed(self.endpoint, action, self._keys.blank(reason))

    def _said(self, error: Exception) -> str:
        return self._keys.blank(reason_of(error))


def _http(
    settings: LakeSettings, timeout: urllib3.Timeout, retries: urllib3.Retry
) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        maxsize=settings.store_connections,
        timeout=timeout,
        retries=retries,
        ssl_context=trusting(settings.ca_file),
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )


def _is_lacking(error: MinioException) -> bool:
    return _status(error) in {405, 501} or getattr(error, "code", "") in _LACKING


def _status(error: BaseException) -> int:
    """The HTTP status of an error response; 0 if the error is none."""
    if isinstance(error, S3Error):
        return error.response.status
    if isinstance(error, ServerError):
        return error.status_code
    return int(error._code) if isinstance(error, InvalidResponseError) else 0


def _text(element: Element, name: str) -> str:
    return (element.findtext(f"{{*}}{name}") or "").strip()


def _seconds(time: str) -> float:
    """The time in a listing, in Unix seconds; 0 if it is none. Stores write it in several forms."""
    plain = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", time)
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", plain)).timestamp()
    return 0.0


def _start(body: bytes) -> str:
    return repr(" ".join(body[:80].decode("utf-8", "replace").split()))


def _seconds_apart(date: str | None) -> float:
    """Seconds between the time of a response and ours; 0 if the response has no time."""
    with suppress(ValueError):
        return abs(parsedate_to_datetime(date or "").timestamp() - time.time())
    return 0.0
