"""The silver table of breweries: its columns and partitions. Add a field of the API here."""

from __future__ import annotations

from ..medallion.table import Column, Table

# In the data of August 2026, then what the dataset's validator and the server's enum allow besides
# (github.com/openbrewerydb/openbrewerydb and openbrewerydb-laravel-api).
BREWERY_TYPES = frozenset(
    {
        "micro",
        "brewpub",
        "planning",
        "closed",
        "regional",
        "contract",
        "large",
        "proprietor",
        "taproom",
        "bar",
        "nano",
        "cidery",
        "beergarden",
        "location",
        "alt prop",
        "beer brand",
        "office only location",
        "unknown",
    }
)

# `street` and `state` are deprecated names; older servers know no others.
TABLE = Table(
    columns=(
        Column("id"),
        Column("name", required=True),
        Column("brewery_type", known=BREWERY_TYPES),
        Column("address_1", sources=("address_1", "street")),
        Column("address_2"),
        Column("address_3"),
        Column("city"),
        Column("postal_code"),
        Column("phone"),
        Column("website_url"),
        Column("longitude", "float64", bounds=(-180, 180)),
        Column("latitude", "float64", bounds=(-90, 90)),
        Column("country", steady=True),
        Column("state", sources=("state_province", "state")),
    ),
    partitions=("country", "state"),
    shown=("name", "brewery_type"),
    coordinates=("longitude", "latitude"),
)
