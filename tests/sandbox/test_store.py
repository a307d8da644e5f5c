"""The embedded store: keys enforced, loopback only, data kept, a clean end."""

import io
import os
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests
from minio.error import S3Error

from sandbox import ROOT
from sandbox.store import StoreFailed, embedded_store, healthy, starting_store
from tests.security.conftest import client
from tests.waiting import wait_for


def test_data_survive_a_restart_and_keys_do_not(tmp_path):
    with embedded_store(tmp_path) as first:
        client(first).make_bucket("bronze")
        file = tmp_path / "store.env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        wrong = {"MINIO_SECRET_KEY": "wrong-wrong"}
        for keys in (wrong, {**wrong, "MINIO_ACCESS_KEY": "nobody"}):
            with pytest.raises(S3Error):
                client({**first, **keys}).list_buckets()
        address = f"http://{first['MINIO_ENDPOINT']}"
        assert requests.get(f"{address}/bronze", timeout=5).status_code == 403

        # A second command meets the store that runs, instead of starting another on its data.
        with embedded_store(tmp_path) as same:
            assert same == first

        sockets = [socket for process in of(tmp_path, "weed") for socket in process.connections()]
        listening = [s.laddr for s in sockets if s.status == psutil.CONN_LISTEN]
        assert int(address.rpartition(":")[2]) in {place.port for place in listening}
        assert {place.ip for place in listening} == {"127.0.0.1"}
    assert not file.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/healthz", timeout=5)

    with embedded_store(tmp_path) as second:
        assert second["MINIO_SECRET_KEY"] != first["MINIO_SECRET_KEY"]
        assert [bucket.name for bucket in client(second).list_buckets()] == ["bronze"]


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A Python that has the packages of this one, but none of their programs."""
    real = Path(sys.executable).parents[1]
    (tmp_path / "bin").mkdir()
    for name in ("bin/python", "lib", "lib64", "pyvenv.cfg"):
        if (real / name).exists():
            (tmp_path / name).symlink_to(real / name)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "bin"


@pytest.mark.parametrize("broken", [False, True])
def test_a_program_that_is_missing_or_cannot_be_started_is_named(tmp_path, bare, broken):
    said = "weed is missing; run `make setup`"
    if broken:
        (bare / "weed").write_bytes(b"\x7fELF nonsense")
        (bare / "weed").chmod(0o755)
        said = "weed cannot be started: Exec format error"
    with pytest.raises(StoreFailed, match=said), embedded_store(tmp_path / "store"):
        pass


def of(folder, name):
    """The processes of a folder's store that are called so."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if any(str(folder) in word for word in words) and name in " ".join(words[:3]):
                found.append(process)
    return found


USER = """
import sys, time
from pathlib import Path
from sandbox.store import embedded_store
with embedded_store(Path(sys.argv[1])) as store:
    print(store["MINIO_ENDPOINT"], flush=True)
    sys.stdin.read()
"""


def user(folder):
    """A process that uses the store of a folder until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, folder], cwd=ROOT, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_the_last_one_out_ends_it_however_the_others_ended(tmp_path):
    users = [user(tmp_path) for _ in range(3)]  # at once: one of them starts it
    try:
        (endpoint,) = {process.stdout.readline().strip() for process in users}
        users[0].communicate("")
        users[1].kill()
        time.sleep(0.5)
        assert healthy(endpoint) and (tmp_path / "store.env").exists()
        assert len(of(tmp_path, "weed")) == 1
        users[2].kill()
        # Who comes while it ends gets another, on the same data.
        with embedded_store(tmp_path) as store:
            client(store).make_bucket("bronze")
    finally:
        for process in users:
            process.kill()
            process.communicate()
    wait_for(lambda: not of(tmp_path, ""), 5, 0.05)


def test_a_store_whose_lifetime_was_killed_stands_in_nobodys_way(tmp_path):
    with embedded_store(tmp_path) as first:
        client(first).make_bucket("bronze")
        for process in of(tmp_path, "sandbox.store_lifetime"):
            process.kill()
            process.wait(10)
        with embedded_store(tmp_path) as second:
            assert [bucket.name for bucket in client(second).list_buckets()] == ["bronze"]
    wait_for(lambda: not of(tmp_path, ""), 5, 0.05)


def test_what_was_written_survives_a_store_that_is_killed(tmp_path):
    contents = {f"data/{number}": os.urandom(20_000) for number in range(50)}
    with embedded_store(tmp_path) as store:
        client(store).make_bucket("bronze")
        for key, content in contents.items():
            client(store).put_object("bronze", key, io.BytesIO(content), len(content))
        for process in of(tmp_path, "weed"):
            process.kill()
    for _ in range(2):  # who only reads leaves at once, and the store is killed
        with starting_store(tmp_path) as ready:
            reading = client(ready())
            assert {k: reading.get_object("bronze", k).data for k in contents} == contents
        assert not (tmp_path / "written").exists()
    wait_for(lambda: not of(tmp_path, ""), 5, 0.05)
