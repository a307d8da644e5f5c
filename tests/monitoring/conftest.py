"""Exporters that a test starts."""

from __future__ import annotations

import pytest

from data.breweries.flow import FLOW
from monitoring.look import connect
from tests.monitoring.seen import Seen


@pytest.fixture
def see(request):
    """Starts exporters, and ends them."""

    def start(*watched):
        seen = Seen(connect(), watched or (FLOW,))
        request.addfinalizer(seen.exporter.server_close)
        request.addfinalizer(seen.exporter.shutdown)
        return seen

    return start


@pytest.fixture
def seen(world, see):
    return see()
