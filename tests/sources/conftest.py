"""Serves a shape, and runs its flow on it."""

from contextlib import ExitStack

import pytest

from tests.answers import serving
from tests.flow_tests import chain_of
from tests.sources.shape import TOKEN

SETTINGS = {"TOKEN": TOKEN, "REQUESTS_PER_MINUTE": 0, "ATTEMPTS": 3, "BACKOFF_SECONDS": 0.01}


@pytest.fixture
def start(store, tmp_path, monkeypatch):
    """Starts a shape's API; the chain of its flow, and the server."""
    with ExitStack() as stack:

        def started(shape, answer=None):
            server = stack.enter_context(serving(answer or shape.answer, shape.path))
            chain = stack.enter_context(chain_of(shape.flow, store, tmp_path, monkeypatch))
            monkeypatch.delenv(f"{shape.flow.prefix}STOP_ON")
            root = server.url.removesuffix(shape.path)
            for name, value in {"URL": server.url, **SETTINGS, **shape.settings}.items():
                value = str(value).replace("ROOT", root)
                monkeypatch.setenv(f"{shape.flow.prefix}API_{name}", value)
            return chain, server

        yield started
