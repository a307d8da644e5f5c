"""The words of the breweries' page and chart, in each language."""

from data.breweries.flow import FLOW as BREWERIES
from data.medallion.dictionary import dictionary
from data.medallion.report.language import Language
from tests.pictures import picture


def test_what_the_breweries_declare_has_words_in_portuguese():
    words = Language.load("pt-BR", BREWERIES).texts["words"]
    told = {BREWERIES.name, BREWERIES.api.unit, *(one.name for one in BREWERIES.aggregates)}
    for _, columns in dictionary(BREWERIES):
        told |= {text for c in columns for text in (c.name, c.about, c.type)}
    assert not told - words.keys()


def test_the_chart_speaks_the_language_of_the_page_and_cuts_what_would_leave_it():
    names = ["A$b_{c$", "By_country", "W" * 300, "القاهرة " * 40]
    texts = picture(BREWERIES.chart.draw, names, Language.load("pt-BR", BREWERIES))
    assert {"10 cervejarias em 4 locais de 4 países", "Por país", "cervejarias"} <= set(texts)
    assert {"A$b_{c$", "By_country", " 4  (40,0%)"} <= set(texts)
    assert any(text.startswith("WWW") and "…" in text for text in texts)
