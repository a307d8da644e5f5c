"""A text in UTF-8 that was read as Latin-1 or Windows-1252 is mended, or left whole."""

import re

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.medallion.layers.silver.tidying import MISREAD, tidied

RIGHT = ["CAFÉ®", "SÃO PAULO", "«IRMû", "Château d'Â", "NESCAFÉ™", "Ørsted", "â", "東京"]
RIGHT += ["CAFÉ\u2019S BAR", "CAFÉ\u2013BAR", "BIÈRE\u2019S"]
WORDS = st.from_regex(r"[A-Za-zÀ-ÖØ-öø-ÿ '\u2019\u2013]{1,20}", fullmatch=True).map(str.strip)


def silver(*texts):
    return tidied(pa.array(texts, pa.string())).to_pylist()


def damaged(text, encoding):
    return text.encode().decode(encoding)


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_text_is_left_as_it_is(text):
    assert silver(text) == [text]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "text", ["Blü", "Cervecería", "Inc \u2013 Houston", "R\u2019Noggin", "38°-75°"]
)
def test_a_text_damaged_once_is_mended(text, encoding):
    assert silver(damaged(text, encoding), None) == [text, None]


# A word such as "Î\u2013" may be right or misread; nobody can tell.
@given(WORDS.filter(lambda text: text and not re.search(MISREAD, text)))
@example("í\u2013")
@example("ÓßÄ")
def test_words_are_never_changed_and_once_damaged_mended_or_left_whole(text):
    wrong = damaged(text, "latin-1")
    assert silver(text) == [text]
    assert silver(wrong)[0] in (text, wrong.replace("\u00a0", " ").strip(), wrong)


def test_what_cannot_be_mended_is_not_halved():
    for text in ("Bar â\x80 Norte", "Köln â\x80\x93 Bar", "Ã\xadâ\x80\x93"):
        assert silver(text) == [text]
    assert silver("a\x80b") == ["a b"]  # no damaged text: a control as any other
    assert silver("\xadcaf\xe9\xad\xadteria\xad") == ["caf\xe9teria"]  # soft hyphens as any other
