"""The embedded store: keys enforced, loopback only, data kept, a clean end."""

import stat
import sys

import psutil
import pytest
import requests
from minio import Minio
from minio.error import S3Error

from sandbox.store import StoreFailed, embedded_store


def client(environment, **keys):
    return Minio(
        environment["MINIO_ENDPOINT"],
        keys.get("access", environment["MINIO_ACCESS_KEY"]),
        keys.get("secret", environment["MINIO_SECRET_KEY"]),
        secure=False,
    )


def test_data_survive_a_restart_and_keys_do_not(tmp_path):
    with embedded_store(tmp_path) as first:
        client(first).make_bucket("bronze")
        file = tmp_path / "store.env"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for keys in ({"secret": "wrong-wrong"}, {"access": "nobody", "secret": "wrong-wrong"}):
            with pytest.raises(S3Error):
                client(first, **keys).list_buckets()
        assert (
            requests.get(f"http://{first['MINIO_ENDPOINT']}/bronze", timeout=5).status_code == 403
        )

        # A second command meets the store that runs, instead of starting another on its data.
        with embedded_store(tmp_path) as same:
            assert same == first

        stores = [p for p in psutil.Process().children() if p.name() == "weed"]
        sockets = [socket for process in stores for socket in process.connections()]
        listening = [s.laddr for s in sockets if s.status == psutil.CONN_LISTEN]
        assert int(first["MINIO_ENDPOINT"].partition(":")[2]) in {
            address.port for address in listening
        }
        assert {address.ip for address in listening} == {"127.0.0.1"}
    assert not file.exists()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{first['MINIO_ENDPOINT']}/healthz", timeout=5)

    with embedded_store(tmp_path) as second:
        assert second["MINIO_SECRET_KEY"] != first["MINIO_SECRET_KEY"]
        assert [bucket.name for bucket in client(second).list_buckets()] == ["bronze"]


def test_a_missing_program_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(StoreFailed, match="weed is missing; run `make setup`"),
        embedded_store(tmp_path),
    ):
        pass
