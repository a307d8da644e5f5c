"""The gold table: how many breweries of each type each location has."""

from __future__ import annotations

from data.medallion.flow import Aggregate, count

STATE_BREWERY_TYPE = Aggregate(
    "state_brewery_type",
    keys=("country", "state", "brewery_type"),
    measures=(count("brewery_count", "How many breweries of this type the location has"),),
)
