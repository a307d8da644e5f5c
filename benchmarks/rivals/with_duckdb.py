"""DuckDB: one query for silver, one for gold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import COLUMNS, COORDINATES, INVISIBLE, TEXTS, UNTIDY


def job(bronze: Path, folder: Path, aliases: Path) -> list[tuple[Any, ...]]:
    """Write silver, count gold."""
    import duckdb

    database = duckdb.connect()
    # Bronze has a record a line, so rows can be read in parallel; a JSON array cannot.
    lines = f"""
        read_csv('{bronze}', columns = {{'line': 'VARCHAR'}}, header = false, delim = '\\x01',
            quote = '', escape = '', auto_detect = false, max_line_size = 10000000)
        WHERE line NOT IN ('[', ']')"""
    paths = [f"$.{name}" for name in (*TEXTS, *COORDINATES)]
    texts = ", ".join(
        f"{_tidy(f'field[{place}]')} AS {name}" for place, name in enumerate(TEXTS, 1)
    )
    degrees = ", ".join(
        _degrees(f"field[{place}]", name, bound)
        for place, (name, bound) in enumerate(COORDINATES.items(), len(TEXTS) + 1)
    )
    silver = f"""
        WITH fields AS (
            SELECT row_number() OVER () AS position,
                json_extract_string(rtrim(line, ','), {paths}) AS field
            FROM {lines}
        ), cleaned AS (
            SELECT position, {texts}, {degrees} FROM fields
        ), located AS (
            SELECT cleaned.* REPLACE (
                lower(brewery_type) AS brewery_type,
                coalesce(same_as_state, state_province, cleaned.state) AS state
            ) FROM cleaned LEFT JOIN read_csv('{aliases}', header = true) AS alias
                ON cleaned.country = alias.country
                AND coalesce(state_province, cleaned.state) = alias.state
        ), usable AS (
            SELECT * FROM located
            WHERE id IS NOT NULL AND name IS NOT NULL AND country IS NOT NULL AND state IS NOT NULL
                AND length(url_encode(country)) <= 247 AND length(url_encode(state)) <= 249
        )
        SELECT {", ".join(COLUMNS)} FROM usable
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY position DESC) = 1
        ORDER BY country, state, id"""
    target = folder / "silver"
    database.execute(
        f"COPY ({silver}) TO '{target}'"
        " (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (country, state))"
    )
    return database.execute(f"""
        SELECT country, state, brewery_type, count(*)
        FROM read_parquet('{target}/*/*/*.parquet', hive_partitioning = true,
            hive_types = {{'country': VARCHAR, 'state': VARCHAR}})
        GROUP BY ALL""").fetchall()


def _tidy(text: str) -> str:
    text = f"replace({text}, '{UNTIDY[0]}', '{UNTIDY[1]}')"
    text = rf"regexp_replace({text}, '{INVISIBLE}', '', 'g')"
    text = rf"regexp_replace({text}, '[\p{{Z}}\p{{Cc}}]', ' ', 'g')"
    return f"nullif(trim(nfc_normalize({text}), ' '), '')"


def _degrees(text: str, name: str, bound: int) -> str:
    value = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN abs({value}) <= {bound} THEN {value} END AS {name}"
