"""Tidying: what each text becomes, whatever its column. Pure functions."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NO_BREAK_SPACE_MISREAD = "\u00c2\u00a0"  # a no-break space in UTF-8, read as Latin-1
INVISIBLE = "[\u00ad\u200b\u2060\ufeff]"  # soft hyphen, zero-width space, word joiner, BOM
NOT_A_PLAIN_SPACE = r"[\p{Z}\p{Cc}]"
SPACE, TILDE = np.uint8(ord(" ")), np.uint8(ord("~"))  # between them all that is printed in ASCII


def as_text(value: Any) -> str | None:
    """A scalar as text: a number as JSON writes it, half a surrogate pair as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return None


def tidied(texts: pa.Array) -> pa.Array:
    """Texts tidied, and null where nothing is left."""
    untidy = pc.and_(_is_untidy(texts), pc.is_valid(texts)) if len(texts) else texts.is_valid()
    if not untidy.true_count:
        return texts
    return pc.replace_with_mask(texts, untidy, _tidy(texts.filter(untidy)))


def _is_untidy(texts: pa.Array) -> pa.Array:
    """Which texts `_tidy` could change, by a look at their bytes; and a few more."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    starts, ends = ends[:-1] - ends[0], ends[1:] - ends[0]
    untidy = starts == ends
    some = np.flatnonzero(~untidy)
    untidy[some] = (letters[starts[some]] == SPACE) | (letters[ends[some] - 1] == SPACE)
    # Neither control characters nor what is beyond ASCII; below the space, the byte wraps.
    exotic = np.flatnonzero(letters - SPACE > TILDE - SPACE)
    untidy[np.searchsorted(ends, exotic, side="right")] = True
    return pa.array(untidy)


def _tidy(texts: pa.Array) -> pa.Array:
    """Text in NFC, without outer space, exotic spaces and invisible characters; else null."""
    texts = pc.replace_substring(texts, NO_BREAK_SPACE_MISREAD, " ")
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, NOT_A_PLAIN_SPACE, " ")
    # Not by Arrow 25.0.1: its utf8_normalize decomposes, whatever form is asked.
    composed = [text and unicodedata.normalize("NFC", text) for text in texts.to_pylist()]
    texts = pc.utf8_trim(pa.array(composed, pa.string()), " ")
    return pc.if_else(pc.equal(texts, ""), None, texts)
