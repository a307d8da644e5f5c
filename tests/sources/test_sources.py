"""One source of each shape, through all layers, recounted from the API's own data."""

import json

import pytest

from data.medallion.read import tables
from data.medallion.stages import BRONZE
from sandbox.declared import DeclaredApi
from tests.sources.plain import PLAIN
from tests.sources.public import PUBLIC
from tests.sources.shape import TOKEN, recount

SHAPES = pytest.mark.parametrize("shape", [*PUBLIC, *PLAIN], ids=lambda shape: shape.name)


@pytest.mark.server
@SHAPES
def test_readers_get_what_the_api_has(start, shape):
    shape.flow.check()
    chain, server = start(shape)
    chain.crawl()
    recount(shape, chain)
    assert {request.status for request in server.requests} == shape.met


@pytest.mark.server
@SHAPES
def test_the_local_api_gives_a_flow_the_same_records(start, shape, monkeypatch):
    chain, server = start(shape)
    with DeclaredApi(shape.flow, shape.records, TOKEN) as local:
        for name, value in local.variables(shape.flow.prefix).items():
            monkeypatch.setenv(name, value)
        BRONZE.run(chain.flow, {})
    assert server.requests == []
    found = tables.rows(chain.lake, chain.flow, chain.flow.bronze)["record"].to_pylist()
    assert [json.loads(text) for text in found] == shape.records
