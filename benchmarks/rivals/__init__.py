"""The same job as a user would write it without this project: a bronze file to silver and gold.

Each module has `job(bronze, folder, aliases)`, which writes `silver/country=…/state=…/*.parquet`
(zstd, by id) and gives the count of each (country, state, type). The rules are those of
data/breweries and data/medallion. What they leave out: manifests, checks, logs, comparison,
accounting.
"""

from __future__ import annotations

UNTIDY = "\u00c2\u00a0", " "
INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"
TEXTS = (
    *("id", "name", "brewery_type", "address_1", "address_2", "address_3", "city"),
    *("postal_code", "phone", "website_url", "country", "state_province", "state"),
)
COORDINATES = {"longitude": 180, "latitude": 90}
COLUMNS = (*TEXTS[:10], *COORDINATES, "country", "state")
"""Of a silver row, with its location."""
