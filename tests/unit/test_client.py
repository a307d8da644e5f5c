import pytest

from data.breweries.client import Client
from data.breweries.errors import ApiGaveUp
from data.breweries.settings import Settings


def test_what_mage_was_handling_is_not_the_reason(monkeypatch):
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.setenv(name, "127.0.0.1:9")
    monkeypatch.setenv("BREWERIES_API_ATTEMPTS", "1")
    with Client(Settings.load()) as client:
        try:
            raise RuntimeError("no running event loop")
        except RuntimeError:
            with pytest.raises(ApiGaveUp, match="refused"):
                client.get("http://127.0.0.1:9/v1/breweries", {}, str)
