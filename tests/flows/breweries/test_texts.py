"""The words of the breweries' page and chart, in each language."""

import pandas as pd
from matplotlib.text import Text

from data.breweries.flow import FLOW as BREWERIES
from data.medallion.dictionary import dictionary
from data.medallion.report.language import Language


def test_what_the_breweries_declare_has_words_in_portuguese():
    words = Language.load("pt-BR", BREWERIES).texts["words"]
    told = {BREWERIES.name, BREWERIES.api.unit, *(one.name for one in BREWERIES.aggregates)}
    for _, columns in dictionary(BREWERIES):
        told |= {text for c in columns for text in (c.name, c.about, c.type)}
    assert not told - words.keys()


def test_the_texts_of_a_chart_are_translated_and_those_of_the_data_are_not():
    counts = pd.DataFrame({"country": ["Land"] * 2, "state": ["By_country", "no name"]})
    counts = counts.assign(brewery_type=[None, "micro"], brewery_count=[1234, 1])
    figure = BREWERIES.drawing.draw(counts, "A_B", Language.load("pt-BR", BREWERIES))
    figure.canvas.draw()
    told = {text.get_text() for text in figure.findobj(Text)}
    assert told >= {
        "1.235 cervejarias em 2 locais de 1 países",
        "A_B", "(sem tipo) (1.234)", " 1.235  (100,0%)",
        "1.000", "Por país", "By_country, Land", "no name, Land",
    }  # fmt: skip
