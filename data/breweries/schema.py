"""What a brewery is in silver: its columns. Another field begins here."""

from __future__ import annotations

import pyarrow as pa

TEXT_COLUMNS = (
    "id",
    "name",
    "brewery_type",
    "address_1",
    "address_2",
    "address_3",
    "city",
    "postal_code",
    "phone",
    "website_url",
)
COORDINATES = {"longitude": 180.0, "latitude": 90.0}  # column to its bound, degrees
LOCATION = ("country", "state")
"""What silver is partitioned by."""

KIND = "brewery_type"
"""What gold counts by, beside the location."""

REQUIRED = ("id", "name", *LOCATION)
"""A record without one of these is rejected."""

# In the data of August 2026, then what the dataset's validator and the server's enum allow besides
# (github.com/openbrewerydb/openbrewerydb and openbrewerydb-laravel-api).
KNOWN_BREWERY_TYPES = {
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

SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in TEXT_COLUMNS]
    + [pa.field(name, pa.float64()) for name in COORDINATES]
)
"""The columns of a silver object; its location is its partition, so that stands in its key."""

LOCATED_SCHEMA = pa.schema([*SCHEMA, *(pa.field(name, pa.string()) for name in LOCATION)])
"""Silver's rows with their location."""

CLEAN_SCHEMA = pa.schema([*LOCATED_SCHEMA, pa.field("position", pa.int64())])
"""A cleaned batch: the same, and where in bronze each record stood."""
