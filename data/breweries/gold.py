"""What gold counts: how many breweries there are of each type in each location."""

from __future__ import annotations

from data.medallion.flow import Aggregate, count

STATE_BREWERY_TYPE = Aggregate(
    "state_brewery_type",
    keys=("country", "state", "brewery_type"),
    measures=(count("brewery_count"),),
)
