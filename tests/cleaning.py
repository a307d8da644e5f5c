"""Cleaning as tests ask for it: each time by Arrow and one by one, which must agree."""

from __future__ import annotations

from collections.abc import Sequence
from unittest.mock import patch

import pyarrow as pa

from data.medallion.lake.records import Lines
from data.medallion.layers import reading
from data.medallion.layers.cleaning import Cleaner, Rejected
from data.medallion.layers.drift import Seen
from data.medallion.table import POSITION


def clean(
    cleaner: Cleaner, texts: Sequence[bytes], start: int = 0
) -> tuple[pa.Table, list[Rejected], Seen]:
    """As the cleaner's own call; the rows in their order."""
    lines = Lines.joined(texts)
    with patch.object(reading, "FEW", 1):
        rows, rejected, seen = cleaner(lines, start)
    with patch.object(reading, "LONG", 0):
        slow, slow_rejected, slow_seen = cleaner(lines, start)
    rows, slow = (table.sort_by(POSITION).combine_chunks() for table in (rows, slow))
    assert rows.equals(slow), (rows.to_pylist(), slow.to_pylist())
    assert [vars(row) for row in rejected] == [vars(row) for row in slow_rejected]
    assert seen == slow_seen
    return rows, rejected, seen
