"""A source of some shape: how its API answers, its declaration, and what readers must get."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from data.medallion.flow import Aggregate, Blocks, Flow, Measure, count
from data.medallion.read import tables
from data.medallion.source.api import Api
from data.medallion.table import Table
from tests.answers import Answer, Request
from tests.flow_tests import Chain

TOKEN = "t0ken"


@dataclass(frozen=True, kw_only=True)
class Shape:
    name: str
    api: Api
    table: Table
    summed: str
    """The number column that gold adds up."""
    records: Sequence[Any]
    """What the API has, in its order."""
    answer: Callable[[Request], Answer]
    row: Callable[[Any], Mapping[str, Any]] = lambda record: {}
    """What silver must have otherwise than the record has it."""
    text: Callable[[Any], str] = json.dumps
    """The text of a record in bronze, which must be the one that was sent."""
    settings: Mapping[str, str] = field(default_factory=dict)
    met: frozenset[int] = frozenset({200})
    """The statuses that a crawl must meet."""

    @property
    def path(self) -> str:
        return urlsplit(self.api.url).path

    @property
    def flow(self) -> Flow:
        total = Measure("total", "sum", self.summed)
        gold = Aggregate(f"{self.name}_counts", self.table.partitions, (count("rows"), total))
        blocks = Blocks(f"extract_{self.name}", f"clean_{self.name}", f"count_{self.name}")
        return Flow(self.name, "tests", self.api, self.table, (gold,), blocks)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Silver by the API's own data."""
        names = self.table.located_schema.names
        return [
            {**{name: record.get(name) for name in names}, **self.row(record)}
            for record in self.records
        ]

    def by_key(self, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], Any]:
        return {tuple(row[name] for name in self.table.keys): row for row in rows}


def recount(shape: Shape, chain: Chain) -> None:
    """Compare all that readers get with the API's own data."""
    flow, lake = chain.flow, chain.lake
    bronze, silver = (tables.rows(lake, flow, one) for one in (flow.bronze, flow.silver))
    (gold,) = (tables.rows(lake, flow, one) for one in flow.gold)
    assert bronze["record"].to_pylist() == [shape.text(record) for record in shape.records]
    assert all(check.expected == check.found for check in chain.manifest(flow.bronze).checks)
    expected = shape.rows
    assert len(silver) == len(expected)
    assert shape.by_key(silver.to_pylist()) == shape.by_key(expected)
    assert any(None in row.values() for row in expected), "no null was tried"
    groups = defaultdict(list)
    for row in expected:
        groups[tuple(row[name] for name in shape.table.partitions)].append(row[shape.summed])
    assert len(groups) > 1
    for row in gold.to_pylist():
        values = groups.pop(tuple(row[name] for name in shape.table.partitions))
        assert row["rows"] == len(values)
        assert math.isclose(row["total"], math.fsum(v for v in values if v is not None))
    assert not groups
    manifest = chain.manifest(flow.silver)
    assert (manifest.rows_rejected, manifest.rows_duplicate, manifest.drift) == (0, 0, ())


def said(value: Any, status: int = 200, **headers: str) -> Answer:
    """JSON, as most APIs say it."""
    return Answer(json.dumps(value), status, {"Content-Type": "application/json", **headers})
