"""What a brewery is in silver: its columns. Another field begins here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

SOURCES = {"address_1": ("address_1", "street"), "state": ("state_province", "state")}
"""A column to the fields of a record it is read from, if not that of its own name: the first that
has a value. `street` and `state` are deprecated names; older servers know no others."""

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


def sources(column: str) -> tuple[str, ...]:
    """The fields of a record that a column is read from: the first that has a value."""
    return SOURCES.get(column, (column,))


def value(record: Mapping[str, Any], column: str) -> Any:
    """What a record has for a column, as received; None where it has nothing."""
    for field in sources(column):
        found = record.get(field)
        if found is not None:
            return found
    return None
