"""The store's client, on a real store behind a proxy that answers as MinIO does in need."""

import resource
import subprocess
import sys
import time
from dataclasses import replace
from email.utils import formatdate

import pytest

from data.medallion.host.workspace import workspace
from data.medallion.lake import errors
from data.medallion.lake.errors import (
    StoreBusy,
    StoreClockDiffers,
    StoreFull,
    StoreRegionDiffers,
    StoreUnreachable,
)
from data.medallion.lake.manifest import StoredObject
from data.medallion.lake.store import Store
from data.medallion.lake.versions import Lake
from data.medallion.settings import PROJECT, LakeSettings
from tests.faults.proxy import A_MINUTE, SLOW_DOWN, Refusal, StoreProxy

FULL = Refusal(507, "XMinioStorageFull", "Storage backend has reached its minimum free drive")
SKEWED = Refusal(403, "RequestTimeTooSkewed", "The difference between the request time and the")
QUOTA = Refusal(400, "XMinioAdminBucketQuotaExceeded", "Bucket quota exceeded")
REGION = Refusal(400, "AuthorizationHeaderMalformed", "the region is wrong; expecting 'sa-east-1'.")
TOO_MANY = Refusal(429, "TooManyRequests", "Please reduce your request rate", A_MINUTE)


@pytest.fixture
def proxy(world, store):
    with StoreProxy(store["MINIO_ENDPOINT"]) as proxy:
        world.set(MINIO_ENDPOINT=proxy.endpoint)
        yield proxy


@pytest.fixture
def lake(proxy):
    return Lake.connect(LakeSettings.load())


def refused(proxy, refusal, times, methods=("PUT", "GET", "HEAD", "DELETE")):
    """Answer the next so many requests of some methods so; the list of those that were."""
    found = []

    def before(operation):
        if operation.method in methods and len(found) < times:
            found.append(operation)
            return refusal
        return ""

    proxy.before = before
    return found


@pytest.mark.parametrize("refusal", [SLOW_DOWN, TOO_MANY], ids=lambda refusal: refusal.code)
@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "POST"])
def test_retry_after_of_a_minute_is_not_waited_for(proxy, lake, refusal, method):
    lake.store.put("gold", "x", b"1")
    found = refused(proxy, refusal, 3, (method,))
    started = time.monotonic()
    asked = {
        "PUT": lambda: lake.store.put("gold", "x", b"2"),
        "GET": lambda: lake.store.get("gold", "x"),
        "HEAD": lambda: lake.store.head("gold", "x"),
        "POST": lambda: lake.store.remove("gold", ["x"]),
    }
    asked[method]()
    assert time.monotonic() - started < 60
    assert len(found) == 3


def test_a_hasty_client_tries_once_more(world, proxy):
    hasty = Lake.connect(LakeSettings.load(), patient=False)
    found = refused(proxy, SLOW_DOWN, 9)
    with pytest.raises(StoreBusy):
        hasty.store.listed("gold", "")
    assert len(found) == 2


@pytest.mark.parametrize("refusal", [FULL, SKEWED, QUOTA, REGION], ids=lambda refusal: refusal.code)
@pytest.mark.parametrize("method", ["PUT", "HEAD"])
def test_a_refusal_names_the_remedy_even_without_a_body(proxy, lake, refusal, method):
    kinds = {
        FULL.code: StoreFull,
        SKEWED.code: StoreClockDiffers,
        QUOTA.code: StoreFull,
        REGION.code: StoreRegionDiffers,
    }
    refused(proxy, refusal, 99)
    with pytest.raises(kinds[refusal.code], match=refusal.code):
        lake.store.put("gold", "x", b"1") if method == "PUT" else lake.store.head("gold", "x")


@pytest.mark.parametrize(("hours", "kind"), [(1, "StoreClockDiffers"), (0, "StoreRefused")])
def test_a_clock_that_is_off_is_no_matter_of_keys(world, proxy, hours, kind):
    """MinIO's answer to HEAD has neither a body nor a code."""
    world.set(MINIO_REGION="us-east-1")
    lake = Lake.connect(LakeSettings.load())
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    refused(proxy, Refusal(403, "", "", {"Date": date}), 99)
    with pytest.raises(getattr(errors, kind)):
        lake.store.head("gold", "x")


def test_a_busy_store_says_what_it_answered(world, proxy):
    hasty = Lake.connect(LakeSettings.load(), patient=False)
    refused(proxy, Refusal(500, "InternalError", "no free volumes left"), 99)
    with pytest.raises(StoreBusy, match=r"InternalError: no free volumes left.*full disk"):
        hasty.store.put("gold", "x", b"1")


@pytest.mark.parametrize("page", [b"<Error><Code>Cut", b"<html>sign in</html>"])
def test_what_no_store_would_answer_is_told(world, proxy, page):
    class Page(Refusal):
        body = page

    hasty = Lake.connect(LakeSettings.load(), patient=False)
    kind = "application/xml" if b"Cut" in page else "text/html"
    refused(proxy, Page(403, "", "", {"Content-Type": kind}), 99)
    with pytest.raises(StoreUnreachable, match="check MINIO_ENDPOINT"):
        hasty.store.get("gold", "x")


CONTENT, OTHER = (StoredObject.of("x", 0, content) for content in (b"content", b"other"))


def test_an_object_is_stored_once_even_where_the_etag_is_no_md5(world):
    def stored_again(entry, content, etag):
        return world.lake.put_missing("gold", entry, content, "text/plain", etag)

    encrypted = "an etag of an encrypted object"
    assert stored_again(CONTENT, b"content", None)
    assert not stored_again(CONTENT, b"content", encrypted)
    assert not stored_again(CONTENT, b"content", world.lake.store.listed("gold", "x")["x"].etag)
    assert stored_again(OTHER, b"other", encrypted)
    world.lake.store.put("gold", "x", b"content")
    assert stored_again(CONTENT, b"content", encrypted)


def test_an_unchanged_run_writes_no_data_where_etags_are_no_md5(world, monkeypatch):
    """As in a bucket that MinIO encrypts or compresses."""
    listed = Store.listed

    def encrypted(store, layer, prefix):
        found = listed(store, layer, prefix).items()
        return {key: replace(one, etag=f"{one.etag}-encrypted") for key, one in found}

    monkeypatch.setattr(Store, "listed", encrypted)
    world.run(test=False)
    before = world.lake.store.listed("silver", "data/breweries/country=")
    world.run(test=False)
    assert world.lake.store.listed("silver", "data/breweries/country=") == before
    victim = min(before)
    world.lake.store.put("silver", victim, b"x" * before[victim].bytes)
    world.run()  # heals what somebody overwrote


FILLS_THE_DISK = """
import resource
from tests.lake import test_store
test_store.fill()
"""


def fill():
    """In a process that may write no file of more than 10 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with workspace() as folder:
        (folder / "file").write_bytes(bytes(20_000))


def test_a_full_temporary_folder_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK],
        cwd=PROJECT.parent,
        env={"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"TemporaryFolderUnusable: The temporary folder {tmp_path} cannot be used" in done.stderr
    assert "TMPDIR" in done.stderr
    assert not list(tmp_path.iterdir())


def test_other_errors_in_a_workspace_stay_what_they_are():
    with pytest.raises(ConnectionResetError), workspace():
        raise ConnectionResetError(104, "Connection reset by peer")
    with pytest.raises(PermissionError), workspace():
        raise PermissionError(13, "Permission denied", "/elsewhere")
