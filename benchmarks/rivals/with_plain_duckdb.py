"""Plain DuckDB: the script that most people would write, and be content with.

It leaves out what the others do besides: NFC, exotic spaces and invisible characters, aliases of
states, bounds of coordinates, duplicates, rejected rows, the order of rows. So it counts otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import COLUMNS, COORDINATES, TEXTS


def job(bronze: Path, folder: Path, aliases: Path) -> list[tuple[Any, ...]]:
    """Write silver, count gold."""
    import duckdb

    database = duckdb.connect()
    types = {**dict.fromkeys(TEXTS, "VARCHAR"), **dict.fromkeys(COORDINATES, "DOUBLE")}
    trimmed = ", ".join(f"trim({name}) AS {name}" for name in TEXTS)
    database.execute(f"""
        CREATE TABLE breweries AS
        SELECT * REPLACE ({trimmed}), trim(coalesce(state_province, state)) AS location
        FROM read_json('{bronze}', format = 'array', columns = {types}, ignore_errors = false)""")
    columns = ", ".join(COLUMNS[:-1])
    database.execute(f"""
        COPY (SELECT {columns}, location AS state FROM breweries)
        TO '{folder / "silver"}'
        (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (country, state))""")
    return database.execute(
        "SELECT country, location, brewery_type, count(*) FROM breweries GROUP BY ALL"
    ).fetchall()
