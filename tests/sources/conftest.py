"""Serves a shape, and runs its flow on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.answers import Answer, Request, Server, serving
from tests.flow_tests import Chain, chain_of
from tests.sources.shape import TOKEN, Shape

Start = Callable[..., tuple[Chain, Server]]


@pytest.fixture
def start(
    store: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Starts a shape's API, and gives the chain of its flow."""
    with ExitStack() as stack:

        def started(
            shape: Shape, answer: Callable[[Request], Answer] | None = None, **settings: object
        ) -> tuple[Chain, Server]:
            server = stack.enter_context(serving(answer or shape.answer, shape.path))
            chain = stack.enter_context(chain_of(shape.flow, store, tmp_path, monkeypatch))
            monkeypatch.delenv(f"{shape.flow.prefix}STOP_ON")
            root = server.url.removesuffix(shape.path)
            own = {name: value.format(root=root) for name, value in shape.settings.items()}
            usual = {"URL": server.url, "TOKEN": TOKEN, "REQUESTS_PER_MINUTE": 0, "ATTEMPTS": 3}
            quick = {"BACKOFF_SECONDS": 0.01}
            for name, value in {**usual, **quick, **own, **settings}.items():
                monkeypatch.setenv(f"{shape.flow.prefix}API_{name}", str(value))
            return chain, server

        yield started
