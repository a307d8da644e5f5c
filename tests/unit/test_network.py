"""Who is asked by way of the environment's proxy, and who never is."""

import pytest
import requests

from data.medallion.host.network import is_local, session
from data.medallion.source.client import Client
from data.medallion.source.exchange import Request
from tests.answers import Answer, serving
from tests.conftest import OF_A_PROXY
from tests.stations import STATIONS


@pytest.fixture
def proxied(monkeypatch):
    """What the environment's proxy was asked for; it redirects `.../moved?ADDRESS` to there."""
    asked = []

    def answer(request):
        asked.append(request.target)
        _, moved, target = request.target.partition("/moved?")
        return Answer('{"total": 7}', 302 if moved else 200, {"Location": target})

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(answer, "") as server:
        for name in OF_A_PROXY:
            monkeypatch.setenv(name, server.url)
        yield asked


LOCAL = (
    "127.0.0.1 127.8.9.1:80 [::1]:9 [::ffff:127.0.0.1] [::] localhost LocalHost. api.localhost:8 "
    "minio:9000 mage user:secret@exporter:1"
)
OTHERS = (
    "api.example.org 10.0.0.1 [2001:db8::1] localhost.example.org 128.0.0.1 127.0.0.1.example.org "
    "minio.example.org"
)


def test_this_machine_and_the_stack_are_local_and_nobody_else():
    assert all(is_local(f"http://{host}/path") for host in LOCAL.split())
    assert not any(is_local(f"https://{host}/localhost") for host in OTHERS.split())


def test_the_api_is_asked_through_the_proxy(proxied, monkeypatch):
    monkeypatch.setenv("STATIONS_API_URL", "http://api.example.org/v1")
    with Client(STATIONS.api, STATIONS.load_settings()) as client:
        found = client.send(Request("http://api.example.org/v1/meta"), lambda a: a.json)
    assert found == {"total": 7}
    assert proxied == ["http://api.example.org/v1/meta"]


def test_a_host_of_no_proxy_is_not_asked_through_it(proxied, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "example.org")
    with session() as asking, pytest.raises(requests.ConnectionError):
        asking.get("http://api.example.org/", timeout=2)
    assert proxied == []


MOVED = "http://api.example.org/moved?http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("url", "asked"),
    [("http://127.0.0.1:1/", []), ("https://localhost:1/", []), ("http://minio:1/", []),
     (MOVED, [MOVED])],
)  # fmt: skip
def test_what_is_local_is_never_asked_through_the_proxy_nor_what_leads_there(proxied, url, asked):
    with session() as asking, pytest.raises(requests.ConnectionError):
        asking.get(url, timeout=5)
    assert proxied == asked
