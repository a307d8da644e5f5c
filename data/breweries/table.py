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
        Column("id", about="The brewery's id, a UUID; of several records, silver has the last one"),
        Column("name", required=True, about="The brewery's name"),
        Column(
            "brewery_type",
            accepted_values=BREWERY_TYPES,
            about="Its kind, in lower case: micro, closed",
        ),
        Column(
            "address_1",
            sources=("address_1", "street"),
            about="Street and number, as the API has it",
        ),
        Column("address_2", about="The second line of the address"),
        Column("address_3", about="The third line of the address"),
        Column("city", about="The city or town"),
        Column("postal_code", about="The postal code: a text, as it can begin with 0"),
        Column("phone", about="The phone number, in the form that the API has"),
        Column("website_url", about="The address of the website"),
        Column("longitude", "float64", bounds=(-180, 180), about="In degrees east, -180 to 180"),
        Column("latitude", "float64", bounds=(-90, 90), about="In degrees north, -90 to 90"),
        Column(
            "country",
            alert_on_change=True,
            about="The country's name in English, as the API has it",
        ),
        Column(
            "state",
            sources=("state_province", "state"),
            about="The state, province or region; known spellings become one",
        ),
    ),
    partitions=("country", "state"),
    shown=("name", "brewery_type"),
    coordinates=("longitude", "latitude"),
)
