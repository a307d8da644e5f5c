"""Tidying: the rules for the texts of all columns. Pure functions."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NO_BREAK_SPACE_MISREAD = "\u00c2\u00a0"  # a no-break space in UTF-8, read as Latin-1
READ_AS = {"latin-1", "sloppy-windows-1252"}  # ftfy's names
FOLLOWING = bytes(range(0x80, 0xC0)).decode("cp1252", "ignore")  # of a letter's further bytes
MISREAD = f"[\u00c2-\u00fe][\u0080-\u009f{FOLLOWING}]"
"""A letter of several bytes in UTF-8, read as Latin-1 or Windows-1252; or two right letters. Up to
the last letter of both, so that a text that is no longer misread when it is lower case stays."""
INVISIBLE = "[\u200b\u2060\ufeff]"  # zero-width space, word joiner, byte order mark
SOFT_HYPHEN = "(^|[^\u00c3-\u00df])\u00ad+"
"""With the character before it, unless that is one of Ã to ß: then it may be half of a misread
letter, as `Ã\xad` is an `í`."""
NOT_A_PLAIN_SPACE = r"[\p{Z}\x00-\x1f\x7f]"
CONTROL = "[\u0080-\u009f]"  # or half of a letter that is misread
SPACE, TILDE = np.uint8(ord(" ")), np.uint8(ord("~"))  # first and last printable ASCII character


def as_text(value: Any) -> str | None:
    """A string or number as text; a number is as in JSON, half a surrogate pair is U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return None


def tidied(texts: pa.Array) -> pa.Array:
    """Tidy texts; a text becomes null if nothing is left of it."""
    untidy = pc.and_(_is_untidy(texts), pc.is_valid(texts)) if len(texts) else texts.is_valid()
    if not untidy.true_count:
        return texts
    some = texts.filter(untidy).dictionary_encode()  # a city comes many times
    return pc.replace_with_mask(texts, untidy, _tidy(some.dictionary).take(some.indices))


def _is_untidy(texts: pa.Array) -> pa.Array:
    """True for each text that `_tidy` could change, and for a few more; checks only the bytes."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    starts, ends = ends[:-1] - ends[0], ends[1:] - ends[0]
    untidy = starts == ends
    some = np.flatnonzero(~untidy)
    untidy[some] = (letters[starts[some]] == SPACE) | (letters[ends[some] - 1] == SPACE)
    # Control characters and non-ASCII bytes; a byte below the space wraps around to a large one.
    exotic = np.flatnonzero(letters - SPACE > TILDE - SPACE)
    untidy[np.searchsorted(ends, exotic, side="right")] = True
    return pa.array(untidy)


def _tidy(texts: pa.Array) -> pa.Array:
    """Text in NFC, trimmed, with plain spaces and no invisible characters; null if empty."""
    texts = pc.replace_substring(_mended(texts), NO_BREAK_SPACE_MISREAD, " ")
    texts = pc.replace_substring_regex(texts, INVISIBLE, "")
    texts = pc.replace_substring_regex(texts, SOFT_HYPHEN, r"\1")
    texts = pc.replace_substring_regex(texts, NOT_A_PLAIN_SPACE, " ")
    # What cannot be mended is left as received: a space for each control would be half of it.
    plain = pc.replace_substring_regex(texts, CONTROL, " ")
    texts = pc.if_else(pc.match_substring_regex(texts, MISREAD), texts, plain)
    # Python normalizes, because utf8_normalize of Arrow 25.0.1 decomposes in every form.
    composed = [text and unicodedata.normalize("NFC", text) for text in texts.to_pylist()]
    texts = pc.utf8_trim(pa.array(composed, pa.string()), " ")
    return pc.if_else(pc.equal(texts, ""), None, texts)


def _mended(texts: pa.Array) -> pa.Array:
    """The texts, with those that are UTF-8 read as Latin-1 or Windows-1252 as they were written."""
    damaged = pc.match_substring_regex(texts, MISREAD)
    if not damaged.true_count:
        return texts
    from ftfy import TextFixerConfig, apply_plan, fix_encoding_and_explain  # few data need it

    # It leaves a text that makes sense as it is, such as `CAFÉ®`. It mends whole texts only.
    config = TextFixerConfig(
        unescape_html=False,
        restore_byte_a0=False,
        replace_lossy_sequences=False,
        decode_inconsistent_utf8=False,
        fix_c1_controls=False,
    )
    received = texts.filter(damaged)
    plans = [fix_encoding_and_explain(text, config).explanation for text in received.to_pylist()]
    # Once: ftfy can go on, and makes one letter of an "ÓßÄ" that it has just mended.
    once: list[list[tuple[str, str]]]
    once = [[*p[:2]] if p and p[0].parameter in READ_AS else [] for p in plans]
    mended = pa.array(map(apply_plan, received.to_pylist(), once), pa.string())
    mended = pc.if_else(pc.match_substring_regex(mended, MISREAD), received, mended)
    return pc.replace_with_mask(texts, damaged, mended)
