"""What a store refuses, and what a person is told: behind a proxy that answers as MinIO does."""

import resource
import subprocess
import sys
import time
from email.utils import formatdate

import pytest

from data.medallion.host.envfile import PROJECT
from data.medallion.host.workspace import workspace
from data.medallion.lake import errors
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from tests.answers import Answer
from tests.faults.proxy import SLOW_DOWN, TOO_MANY, Refusal

NO_ROOM = Refusal(500, "InternalError", "no free volumes left")
XML, HTML = {"Content-Type": "application/xml"}, {"Content-Type": "text/html"}
KINDS = [
    (507, "XMinioStorageFull", errors.StoreFull),
    (403, "RequestTimeTooSkewed", errors.StoreClockDiffers),
    (400, "XMinioAdminBucketQuotaExceeded", errors.StoreFull),
    (400, "AuthorizationHeaderMalformed", errors.StoreRegionDiffers),
]
REQUESTS = {
    "PUT": lambda store: store.put("gold", "x", b"2"),
    "GET": lambda store: store.get("gold", "x"),
    "HEAD": lambda store: store.create_bucket("gold"),
    "POST": lambda store: store.remove("gold", ["x"]),
}


@pytest.mark.parametrize("refusal", [SLOW_DOWN, TOO_MANY], ids=["503", "429"])
@pytest.mark.parametrize("name", REQUESTS)
def test_retry_after_of_a_minute_is_not_waited_for(proxy, lake, monkeypatch, refusal, name):
    lake.store.put("gold", "x", b"1")
    met = proxy.answer(refusal, f"^{name}", 3)
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    REQUESTS[name](lake.store)
    assert len(met) == 3 and waits and max(waits) < 60


@pytest.mark.parametrize(("status", "code", "kind"), KINDS)
@pytest.mark.parametrize("name", ["PUT", "HEAD"])
def test_a_refusal_names_the_remedy_even_without_a_body(proxy, lake, status, code, kind, name):
    proxy.answer(Refusal(status, code, "What the store says"), "^(PUT|GET|HEAD)")
    with pytest.raises(kind, match=rf"{code}|HTTP {status}"):
        REQUESTS[name](lake.store)


@pytest.mark.parametrize(
    ("hours", "kind"), [(1, errors.StoreClockDiffers), (0, errors.StoreRefused)]
)
def test_a_clock_that_is_off_is_no_matter_of_keys(site, proxy, hours, kind):
    """MinIO's answer to HEAD has neither a body nor a code."""
    site.set(MINIO_REGION="us-east-1")
    lake = Lake.connect(LakeSettings.load())
    date = formatdate(time.time() + hours * 3600, usegmt=True)
    proxy.answer(Refusal(403, "", "", {"Date": date}), "^HEAD")
    with pytest.raises(kind):
        lake.store.create_bucket("gold")


@pytest.mark.parametrize(
    ("fault", "kind", "says", "times"),
    [
        (SLOW_DOWN, errors.StoreBusy, "SlowDownWrite", 2),
        (NO_ROOM, errors.StoreBusy, "InternalError: no free volumes left.*full", 2),
        (Answer(b"<Error><Code>Cut", 403, XML), errors.StoreError, "MINIO_ENDPOINT", 1),
        (Answer(b"<html>", 403, HTML), errors.StoreError, "MINIO_ENDPOINT", 1),
    ],
)
def test_a_hasty_client_tries_a_busy_store_once_more_and_tells_of_its_answer(
    proxy, fault, kind, says, times
):
    hasty = Lake.connect(LakeSettings.load(), retry_more=False)
    met = proxy.answer(fault, "^GET")
    with pytest.raises(kind, match=says):
        hasty.store.get("gold", "x")
    assert len(met) == times


FILLS_THE_DISK = "from tests.store import test_refusals; test_refusals.fill()"


def fill():
    """In a process that may write no file of more than 10 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    with workspace() as folder:
        (folder / "file").write_bytes(bytes(20_000))


def test_a_full_temporary_folder_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK],
        cwd=PROJECT.parent, env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert f"TemporaryFolderUnusable: The temporary folder {tmp_path} cannot be used" in done.stderr
    assert "TMPDIR" in done.stderr
    assert not list(tmp_path.iterdir())


def test_other_errors_in_a_workspace_stay_what_they_are():
    with pytest.raises(ConnectionResetError), workspace():
        raise ConnectionResetError(104, "Connection reset by peer")
    with pytest.raises(PermissionError), workspace():
        raise PermissionError(13, "Permission denied", "/elsewhere")
