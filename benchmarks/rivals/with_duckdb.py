"""DuckDB, as a user with little memory sets it: in a file, silver by COPY, gold by one query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import COLUMNS, COORDINATES, INVISIBLE, TEXTS, UNTIDY

MEMORY_LIMIT = "500MB"  # 300MB is too little for a million rows; more makes nothing faster


def job(bronze: Path, folder: Path, aliases: Path) -> list[tuple[Any, ...]]:
    """Write silver, count gold."""
    import duckdb

    database = duckdb.connect(str(folder / "work.duckdb"))
    database.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    paths = [f"$.{name}" for name in (*TEXTS, *COORDINATES)]
    texts = ", ".join(
        f"{_tidy(f'field[{place}]')} AS {name}" for place, name in enumerate(TEXTS, 1)
    )
    degrees = ", ".join(
        _degrees(f"field[{place}]", name, bound)
        for place, (name, bound) in enumerate(COORDINATES.items(), len(TEXTS) + 1)
    )
    # Bronze has a record a line, so rows can be read in parallel; a JSON array cannot. The table
    # keeps the order of the lines, so its rowid is the position.
    database.execute(f"""
        CREATE TABLE cleaned AS SELECT {texts}, {degrees} FROM (
            SELECT json_extract_string(rtrim(line, ','), {paths}) AS field FROM read_csv(
                '{bronze}', columns = {{'line': 'VARCHAR'}}, header = false, delim = '\\x01',
                quote = '', escape = '', auto_detect = false, max_line_size = 10000000
            ) WHERE line NOT IN ('[', ']'))""")
    database.execute(f"""
        CREATE VIEW usable AS SELECT * FROM (
            SELECT cleaned.rowid AS position, cleaned.* REPLACE (
                lower(brewery_type) AS brewery_type,
                coalesce(same_as_state, state_province, cleaned.state) AS state
            ) FROM cleaned LEFT JOIN read_csv('{aliases}', header = true) AS alias
                ON cleaned.country = alias.country
                AND coalesce(state_province, cleaned.state) = alias.state
        ) WHERE id IS NOT NULL AND name IS NOT NULL AND country IS NOT NULL AND state IS NOT NULL
            AND length(url_encode(country)) <= 247 AND length(url_encode(state)) <= 249""")
    target = folder / "silver"
    database.execute(f"""
        COPY (
            SELECT {", ".join(COLUMNS)} FROM usable
            SEMI JOIN (SELECT max(position) AS position FROM usable GROUP BY id) AS kept
                USING (position)
            ORDER BY country, state, id
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (country, state))""")
    return database.execute(f"""
        SELECT country, state, brewery_type, count(*)
        FROM read_parquet('{target}/*/*/*.parquet', hive_partitioning = true,
            hive_types = {{'country': VARCHAR, 'state': VARCHAR}})
        GROUP BY ALL""").fetchall()


def _tidy(text: str) -> str:
    """Only what is not plain is worth regular expressions, as in the pipeline's cleaning."""
    plain = f"nullif(trim({text}, ' '), '')"
    tidy = f"replace({text}, '{UNTIDY[0]}', '{UNTIDY[1]}')"
    tidy = rf"regexp_replace({tidy}, '{INVISIBLE}', '', 'g')"
    tidy = rf"regexp_replace({tidy}, '[\p{{Z}}\p{{Cc}}]', ' ', 'g')"
    tidy = f"nullif(trim(nfc_normalize({tidy}), ' '), '')"
    return rf"CASE WHEN regexp_matches({text}, '[^ -~]') THEN {tidy} ELSE {plain} END"


def _degrees(text: str, name: str, bound: int) -> str:
    value = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN abs({value}) <= {bound} THEN {value} END AS {name}"
