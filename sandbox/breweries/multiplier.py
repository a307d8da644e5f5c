"""Multiplies breweries: repeats the same records, each time with new ids."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence

from .generator import Record


def multiplied(records: Sequence[Record], times: int) -> Iterator[str]:
    """Yield the JSON texts of `times` copies of the records, one copy after the other.

    Only the ids differ between copies, so the share of dirt stays the same. The first copy has the
    original ids. Those of the others are hashes, as random as the original ones: ids that are alike
    would compress away, and make files smaller than real data do. It needs the memory of one copy.
    """
    texts = [_around_id(record) for record in records]
    for copy in range(times):
        for before, original, after in texts:
            yield f"{before}{uuid.uuid5(original, str(copy)) if copy else original}{after}"


def _around_id(record: Record) -> tuple[str, uuid.UUID, str]:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    before, after = text.split(record["id"], 1)
    return before, uuid.UUID(record["id"]), after
