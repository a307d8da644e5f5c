"""Exporters that a test starts."""

import os
from functools import partial

import pytest

from data.breweries.flow import FLOW
from monitoring import look as looking
from monitoring.look import LakeLook
from monitoring.watch import Watch
from tests.faults.proxy import StoreProxy
from tests.monitoring.seen import Seen


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Deal them out, where nothing else is run: then each worker starts with one that waits."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    if all(item.nodeid.startswith("tests/monitoring/") for item in items):
        items[:] = [item for first in range(workers) for item in items[first::workers]]


@pytest.fixture
def see(request):
    """Starts exporters, and ends them: of the lake, or of what a look sees anew at each request."""

    def start(*watched, look=None, **how):
        watched = watched or (FLOW,)
        look = look or partial(looking.look, looking.connect(), watched)
        seen = Seen(Watch(look, LakeLook.none(watched), **{"fresh": 0, "patience": 60, **how}))
        request.addfinalizer(seen.exporter.server_close)
        request.addfinalizer(seen.exporter.shutdown)
        return seen

    return start


@pytest.fixture
def seen(world, see):
    return see()


@pytest.fixture
def operations(world, store):
    """What the store is asked from now on, by those who connect to it."""
    asked = []
    with StoreProxy(store["MINIO_ENDPOINT"]) as proxy:
        proxy.after = asked.append
        world.set(MINIO_ENDPOINT=proxy.endpoint)
        yield asked
