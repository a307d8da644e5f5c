"""Cleaning as tests ask for it: each time by Arrow, twice, and one by one, which must agree."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from hypothesis import strategies as st

from data.medallion.lake.records import Lines
from data.medallion.layers.silver import reading
from data.medallion.layers.silver.cleaner import Cleaner, Rejected
from data.medallion.layers.silver.drift import Seen
from data.medallion.table import POSITION

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text()
scalars = st.none() | st.booleans() | numbers | texts


def nesting(
    base: st.SearchStrategy[Any], names: st.SearchStrategy[str] = texts, leaves: int = 10
) -> st.SearchStrategy[Any]:
    """Those values, and lists and objects of them."""
    return st.recursive(
        base, lambda one: st.lists(one) | st.dictionaries(names, one), max_leaves=leaves
    )


json_values = nesting(scalars)


def clean(
    cleaner: Cleaner, texts: Sequence[bytes], start: int = 0
) -> tuple[pa.Table, list[Rejected], Seen]:
    """As the cleaner's own call; the rows in their order."""
    lines, refused = Lines.joined(texts), set[bytes]()
    with patch.object(reading, "FEW", 1):
        rows, rejected, seen = _ordered(*cleaner(lines, start, refused))
        later = _ordered(*cleaner(lines, start, refused))
    with patch.object(reading, "LONG", 0):
        slow = _ordered(*cleaner(lines, start))
    for table, some, shapes in (later, slow):
        assert rows.equals(table), (rows.to_pylist(), table.to_pylist())
        assert rejected == some
        assert seen == shapes
        assert seen.values.keys() == shapes.values.keys()
    return rows, rejected, seen


def _ordered(
    rows: pa.Table, rejected: list[Rejected], seen: Seen
) -> tuple[pa.Table, list[Rejected], Seen]:
    return rows.sort_by(POSITION).combine_chunks(), rejected, seen
