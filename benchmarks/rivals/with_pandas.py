"""Plain pandas: the whole file in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import COLUMNS, COORDINATES, INVISIBLE, TEXTS, UNTIDY


def job(bronze: Path, folder: Path, aliases: Path) -> list[tuple[Any, ...]]:
    """Write silver, count gold."""
    import pandas as pd

    with bronze.open(encoding="utf-8") as file:
        rows = pd.DataFrame(json.load(file), columns=[*TEXTS, *COORDINATES])
    for name in TEXTS:
        text = rows[name].str.replace(*UNTIDY, regex=False)
        text = text.str.replace(INVISIBLE, "", regex=True)
        # Python's re has no \p{Z}: these are its members, and \p{Cc}.
        text = text.str.replace(r"[\x00-\x1f\x7f-\x9f]|[^\S\n]", " ", regex=True)
        text = text.str.normalize("NFC").str.strip(" ")
        rows[name] = text.where(text != "")
    rows["brewery_type"] = rows["brewery_type"].str.lower()
    rows["state"] = rows["state_province"].fillna(rows["state"])
    same = pd.read_csv(aliases).set_index(["country", "state"])["same_as_state"]
    found = same.reindex(pd.MultiIndex.from_frame(rows[["country", "state"]])).to_numpy()
    rows["state"] = pd.Series(found, rows.index).fillna(rows["state"])
    for name, bound in COORDINATES.items():
        degrees = pd.to_numeric(rows[name], errors="coerce")
        rows[name] = degrees.where(degrees.abs() <= bound)
    rows = rows.dropna(subset=["id", "name", "country", "state"])
    rows = rows.drop_duplicates("id", keep="last").sort_values(["country", "state", "id"])
    rows[list(COLUMNS)].to_parquet(
        folder / "silver",
        partition_cols=["country", "state"],
        compression="zstd",
        index=False,
        max_partitions=10_000,
    )
    counted = rows.groupby(["country", "state", "brewery_type"], dropna=False).size()
    return [(*key, int(count)) for key, count in counted.items()]  # type: ignore[misc]
