"""The cleaning rules of breweries alone: types in lower case, one name for each state."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..medallion.table import Columns


def clean(columns: Columns) -> Columns:
    """The columns that the rules change."""
    return {
        "brewery_type": pc.utf8_lower(columns["brewery_type"]),
        "state": canonical_states(columns["country"], columns["state"]),
    }


def canonical_states(country: pa.Array, state: pa.Array) -> pa.Array:
    """The state of each row, under one name where the data have several spellings."""
    # There are few locations, so each is looked up once. Tidied text holds no NUL.
    pairs = pc.binary_join_element_wise(country, state, "\0").dictionary_encode()
    spelled = [tuple(pair.split("\0")) for pair in pairs.dictionary.to_pylist()]
    names = [_aliases().get((country, state), state) for country, state in spelled]
    return pc.coalesce(pa.array(names, pa.string()).take(pairs.indices), state)


@cache
def _aliases() -> dict[tuple[str, str], str]:
    with Path(__file__).with_name("location_aliases.csv").open(encoding="utf-8") as file:
        return {
            (row["country"], row["state"]): row["same_as_state"] for row in csv.DictReader(file)
        }
