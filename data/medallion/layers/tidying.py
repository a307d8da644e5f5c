"""Tidying: what each text becomes, whatever its column. Pure functions."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

NO_BREAK_SPACE_MISREAD = "\u00c2\u00a0"  # a no-break space in UTF-8, read as Latin-1
INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"  # soft hyphen, zero-width space, word joiner, BOM
NOT_A_PLAIN_SPACE = r"[\p{Z}\p{Cc}]"
UNTIDY = "^ | $|^$|[^ -~]"  # all that `_tidy` could change, and a little more


def as_text(value: Any) -> str | None:
    """A scalar as text: a number as JSON writes it, half a surrogate pair as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return None


def tidied(columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns of one length with their texts tidied; all in one go, as each call has its cost."""
    texts = pa.concat_arrays(columns.values())
    untidy = pc.fill_null(pc.match_substring_regex(texts, UNTIDY), False)
    texts = pc.replace_with_mask(texts, untidy, _tidy(texts.filter(untidy)))
    length = len(texts) // len(columns)
    return {name: texts.slice(n * length, length) for n, name in enumerate(columns)}


def _tidy(texts: pa.Array) -> pa.Array:
    """Text in NFC, without outer space, exotic spaces and invisible characters; else null."""
    texts = pc.replace_substring(texts, NO_BREAK_SPACE_MISREAD, " ")
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, NOT_A_PLAIN_SPACE, " ")
    # Not by Arrow 25.0.1: its utf8_normalize decomposes, whatever form is asked.
    composed = [text and unicodedata.normalize("NFC", text) for text in texts.to_pylist()]
    texts = pc.utf8_trim(pa.array(composed, pa.string()), " ")
    return pc.if_else(pc.equal(texts, ""), None, texts)
