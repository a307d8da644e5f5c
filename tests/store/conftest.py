"""A store behind a proxy that answers as a test says."""

import pytest

from data.medallion.lake import retries
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from tests.faults.proxy import StoreProxy


@pytest.fixture
def proxy(site, store):
    with StoreProxy(store["MINIO_ENDPOINT"]) as proxy:
        site.set(MINIO_ENDPOINT=proxy.endpoint)
        yield proxy


@pytest.fixture
def lake(site, proxy):
    site.patch.setattr(retries, "LONGEST_BACKOFF_SECONDS", 0.1)
    return Lake.connect(LakeSettings.load())
