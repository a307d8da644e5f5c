"""A small dataset of the machinery's own tests: it has one column of each kind, and no API."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from data.medallion.flow import Aggregate, Blocks, Flow, Measure, count
from data.medallion.lake.records import Item
from data.medallion.settings import FlowSettings
from data.medallion.source.api import Api
from data.medallion.source.client import Client
from data.medallion.source.completeness import Totals
from data.medallion.table import Column, Table, year


class InMemory(Api):
    """An API that gives some records, with another answer in each walk if more are given.

    Args:
        walks: the records of each walk; further walks are as the last.
        totals: what it says before the first walk, and after each; none if it tells no total.
    """

    def __init__(self, *walks: Sequence[Any], totals: Sequence[Totals] = ()) -> None:
        super().__init__(title="Records in memory", url="http://127.0.0.1:9/records")
        self.walks = walks
        self.told = totals
        self.walked = 0
        self.asked = 0

    def pages(
        self, client: Client, settings: FlowSettings, total: int | None
    ) -> Iterator[list[Item]]:
        records = self.walks[min(self.walked, len(self.walks) - 1)]
        self.walked += 1
        size = settings.api_page_size
        for start in range(0, len(records), size):
            yield [(json.dumps(r), r) for r in records[start : start + size]]

    def totals(self, client: Client, settings: FlowSettings) -> Totals | None:
        self.asked += 1
        return self.told[min(self.asked, len(self.told)) - 1] if self.told else None


KINDS = frozenset({"land", "sea", "air"})

TABLE = Table(
    columns=(
        Column("number", "int64"),
        Column("name", required=True),
        Column("kind", accepted_values=KINDS),
        Column("open", "bool"),
        Column("height", "float64", bounds=(-430, 8849)),
        Column("opened_at", "timestamp", unit="ms"),
        Column("city", sources=("place.city",)),
        Column("owner", sources=("owner", "operator")),
        Column("phone"),
        Column("country", alert_on_change=True),
        Column("year", "int64", derive=year("opened_at")),
    ),
    partitions=("country", "year"),
    key="number",
    shown=("name", "kind"),
)

MEAN, LOWEST = Measure("mean_height", "mean", "height"), Measure("lowest", "min", "height")
HEIGHTS = Aggregate("kind_heights", ("kind", "open"), (count("stations"), MEAN, LOWEST))
YEARS = Aggregate("stations_opened", ("country", "year"), (count("stations"),))

STATIONS = Flow(
    name="stations",
    package="tests",
    api=InMemory([]),
    table=TABLE,
    aggregates=(HEIGHTS, YEARS),
    blocks=Blocks("extract_stations", "clean_stations", "count_stations"),
)

RECORD = {
    "number": 7, "name": "North Cape", "kind": "sea", "open": True, "height": 12.5,
    "opened_at": "1987-06-05T04:03:02Z", "place": {"city": "Longyearbyen"},
    "owner": "Institute", "phone": "555", "country": "Norway",
}  # fmt: skip
"""A record that has all, and all as it should be."""


def some(*numbers: int) -> list[dict[str, Any]]:
    """Such records of those numbers."""
    return [{**RECORD, "number": number} for number in numbers]
