"""The chart is drawn, whatever the names are: in readable letters, and all in the picture."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot

from data.medallion.layers.silver.tidying import tidied
from data.medallion.report.language import Language
from tests.pictures import picture
from tests.stations import STATIONS

ENGLISH = Language.load("en", STATIONS)
AS_THEY_ARE = ["A$b_{c$", "Ca$h and $tate", "_micro", "São Paulo", "Αθήνα"]
DRAWN_AS = {
    **{name: name for name in AS_THEY_ARE},
    "東京": "DongJing", "서울": "SeoUl", "ビール": "biru", "ไทย": "aithy", "दिल्ली": "dilli",
    "🍺": ":beer:", "\U000f0000": "?", "\u202eabc": "abc",
    "תל אביב (1)": "(1) ביבא לת", "القاهرة": "ﺓﺮﻫﺎﻘﻟﺍ",
}  # fmt: skip


def draw_own(table, caption):
    """As in the template: names in a legend, on an axis and beside powers of ten."""
    import seaborn

    figure, axes = pyplot.subplots(figsize=(10, 6), layout="constrained")
    seaborn.barplot(table, x="brewery_count", y="state", hue="brewery_type", ax=axes)
    axes.set_xscale("log")
    figure.supxlabel(caption)
    return figure


@given(names=st.lists(st.text(), min_size=1, max_size=9, unique=True))
@settings(max_examples=3)
def test_any_names_are_drawn_inside_the_picture(names):
    picture(draw_own, tidied(pa.array(names)).drop_null().to_pylist(), ENGLISH)


def test_a_name_of_300_letters_is_cut_where_it_would_leave_the_picture():
    texts = picture(draw_own, ["W" * 300, "i" * 300, "القاهرة " * 40, "Norfolk"], ENGLISH)
    assert any(text.startswith("WWW") and "…" in text for text in texts)
    assert any(text.startswith("…") for text in texts)  # what is read from the right
    assert any(text.startswith("Norfolk") for text in texts)


def test_names_are_no_markup_and_are_drawn_in_letters_that_the_font_has():
    assert set(DRAWN_AS.values()) <= set(picture(draw_own, list(DRAWN_AS), ENGLISH))


def test_the_labels_of_numbers_keep_their_powers():
    assert r"$\mathdefault{10^{0}}$" in picture(draw_own, ["a", "b"], ENGLISH)
