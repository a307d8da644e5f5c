"""What a store refuses, and what a person is told: behind a proxy that answers as MinIO does."""

import resource
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from data.medallion.host.envfile import PROJECT
from data.medallion.host.workspace import workspace
from data.medallion.lake.errors import (
    StoreBusy,
    StoreClockDiffers,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreRegionDiffers,
)
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from tests.answers import Answer
from tests.faults.proxy import A_MINUTE, SLOW_DOWN, Refusal

TOO_MANY = Refusal(429, "TooManyRequests", "Please reduce your request rate", A_MINUTE)
KINDS = [
    (507, "XMinioStorageFull", StoreFull),
    (403, "RequestTimeTooSkewed", StoreClockDiffers),
    (400, "XMinioAdminBucketQuotaExceeded", StoreFull),
    (400, "AuthorizationHeaderMalformed", StoreRegionDiffers),
]
REQUESTS = {
    "PUT": lambda store: store.put("gold", "x", b"2"),
    "GET": lambda store: store.get("gold", "x"),
    "HEAD": lambda store: store.create_bucket("gold"),
    "POST": lambda store: store.remove("gold", ["x"]),
}


@pytest.mark.parametrize("refusal", [SLOW_DOWN, TOO_MANY], ids=["503", "429"])
@pytest.mark.parametrize("name", REQUESTS)
def test_retry_after_of_a_minute_is_not_waited_for(proxy, lake, refusal, name):
    lake.store.put("gold", "x", b"1")
    met = proxy.answer(refusal, f"^{name}", 3)
    started = time.monotonic()
    REQUESTS[name](lake.store)
    assert time.monotonic() - started < 60
    assert len(met) == 3


@pytest.fixture
def hasty(proxy):
    return Lake.connect(LakeSettings.load(), retry_more=False)


def test_a_hasty_client_tries_once_more(proxy, hasty):
    met = proxy.answer(SLOW_DOWN, "^GET")
    with pytest.raises(StoreBusy):
        hasty.store.listed("gold", "")
    assert len(met) == 2


@pytest.mark.parametrize(("status", "code", "kind"), KINDS)
@pytest.mark.parametrize("name", ["PUT", "HEAD"])
def test_a_refusal_names_the_remedy_even_without_a_body(proxy, lake, status, code, kind, name):
    proxy.answer(Refusal(status, code, "What the store says"), "^(PUT|GET|HEAD)")
    with pytest.raises(kind, match=rf"{code}|HTTP {status}"):
        REQUESTS[name](lake.store)


@pytest.mark.parametrize(("hours", "kind"), [(1, StoreClockDiffers), (0, StoreRefused)])
def test_a_clock_that_is_off_is_no_matter_of_keys(site, proxy, hours, kind):
    """MinIO's answer to HEAD has neither a body nor a code."""
    site.set(MINIO_REGION="us-east-1")
    lake = Lake.connect(LakeSettings.load())
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    proxy.answer(Refusal(403, "", "", {"Date": date}), "^HEAD")
    with pytest.raises(kind):
        lake.store.create_bucket("gold")


def test_a_busy_store_says_what_it_answered(proxy, hasty):
    proxy.answer(Refusal(500, "InternalError", "no free volumes left"), "^(GET|PUT)")
    with pytest.raises(StoreBusy, match=r"InternalError: no free volumes left.*full"):
        hasty.store.put("gold", "x", b"1")


@pytest.mark.parametrize(
    ("page", "kind"), [(b"<Error><Code>Cut", "application/xml"), (b"<html>", "text/html")]
)
def test_what_no_store_would_answer_is_told(proxy, hasty, page, kind):
    proxy.answer(Answer(page, 403, {"Content-Type": kind}), "^GET")
    with pytest.raises(StoreError, match="MINIO_ENDPOINT"):
        hasty.store.get("gold", "x")


FILLS_THE_DISK = """
import resource
from tests.store import test_refusals
test_refusals.fill()
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
