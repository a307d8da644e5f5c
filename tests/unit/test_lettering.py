"""The chart is drawn, whatever the names are: in readable letters, and all in the picture."""

import warnings
from io import BytesIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.text import Text
from PIL import Image

from data.breweries.chart import draw as draw_breweries
from data.breweries.flow import FLOW
from data.medallion.flow import Chart
from data.medallion.layers import chart
from data.medallion.layers.tidying import tidied
from data.medallion.report.language import Language

ENGLISH, PORTUGUESE = (Language.load(name, FLOW) for name in ("en", "pt-BR"))
DRAWN_AS = {
    "A$b_{c$": "A$b_{c$",
    "Ca$h and $tate": "Ca$h and $tate",
    "_micro": "_micro",
    "São Paulo": "São Paulo",
    "Αθήνα": "Αθήνα",
    "東京": "DongJing",
    "서울": "SeoUl",
    "ビール": "biru",
    "ไทย": "aithy",
    "दिल्ली": "dilli",
    "🍺": ":beer:",
    "\U000f0000": "?",
    "\u202eabc": "abc",
    "תל אביב (1)": "(1) ביבא לת",
    "القاهرة": "ﺓﺮﻫﺎﻘﻟﺍ",
}


def draw_own(table, caption):
    """As in the template: names in a legend, on an axis and beside powers of ten."""
    import seaborn

    figure, axes = pyplot.subplots(figsize=(10, 6), layout="constrained")
    seaborn.barplot(table, x="brewery_count", y="state", hue="brewery_type", ax=axes)
    axes.set_xscale("log")
    figure.supxlabel(caption)
    return figure


def picture(draw, names, language=ENGLISH):
    """The texts of the chart of some names, none of which is outside or warns of anything."""
    both = zip(names, reversed(names), strict=True)
    rows = [
        {"country": one, "state": one, "brewery_type": other, "brewery_count": n + 1}
        for n, (one, other) in enumerate(both)
    ]
    schema = pa.schema([*((n, pa.string()) for n in ("country", "state", "brewery_type"))])
    table = pa.Table.from_pylist(rows, schema.append(pa.field("brewery_count", pa.int64())))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = chart._drawn(Chart(draw, of="t"), table, "of today", language)
        try:
            content, svg = chart.to_pictures(figure, ("png", "svg"))
            figure.draw_without_rendering()
            assert Image.open(BytesIO(content)).size == tuple(figure.bbox.size)
            assert svg.startswith(b"<?xml")
            texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
            boxes = [(t.get_window_extent(), t.get_text()) for t in texts]
            wide = figure.bbox.width + 1
            outside = [words for box, words in boxes if box.x0 < -1 or box.x1 > wide]
            shown = [words for words in outside if "mathdefault" not in words]
            assert not [words for words in shown if any(map(str.isalpha, words))]
            return [words for _, words in boxes]
        finally:
            pyplot.close(figure)


@pytest.mark.parametrize("draw", [draw_breweries, draw_own])
@given(names=st.lists(st.text(), min_size=1, max_size=9, unique=True))
@settings(max_examples=5, deadline=None)
def test_any_names_are_drawn_inside_the_picture(draw, names):
    picture(draw, tidied(pa.array(names)).drop_null().to_pylist())


@pytest.mark.parametrize("draw", [draw_breweries, draw_own])
def test_a_name_of_300_letters_is_cut_where_it_would_leave_the_picture(draw):
    texts = picture(draw, ["W" * 300, "i" * 300, "القاهرة " * 40, "Norfolk"])
    assert any(text.startswith("WWW") and "…" in text for text in texts)
    assert any(text.startswith("…") for text in texts)  # what is read from the right
    assert any(text.startswith("Norfolk") for text in texts)


def test_names_are_no_markup_and_are_drawn_in_letters_that_the_font_has():
    assert set(DRAWN_AS.values()) <= set(picture(draw_own, list(DRAWN_AS)))


def test_the_labels_of_numbers_keep_their_powers():
    assert r"$\mathdefault{10^{0}}$" in picture(draw_own, ["a", "b"])


def test_the_chart_speaks_the_language_of_the_page():
    texts = picture(draw_breweries, ["a", "b"], PORTUGUESE)
    assert {"3 cervejarias em 2 locais de 2 países", "Por país", "cervejarias"} <= set(texts)
    assert "2  (66,7%)" in [text.strip() for text in texts]
