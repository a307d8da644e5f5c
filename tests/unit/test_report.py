"""The page of what a lake holds: its languages, its drawings, and HTML that does nobody harm."""

import re
from datetime import datetime, timezone

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.medallion.layers.silver.drift import cells_of
from data.medallion.report import pictures
from data.medallion.report.language import Language
from data.medallion.report.pictures import draw_map, row_flow
from data.medallion.rules import RULES
from data.medallion.settings import LakeSettings
from tests.reports import BEFORE, EVIL, FLOW, NOTHING, Elements, facts, page_of

ENGLISH, PORTUGUESE = (Language.load(name, FLOW) for name in ("en", "pt-BR"))
ACTIVE = {"script", "link", "iframe", "object", "embed", "base", "form"}
LANGUAGES = LakeSettings.model_fields["report_language"].annotation.__args__


# Languages


def test_every_language_says_the_same():
    def shape(told):
        if isinstance(told, dict):
            return {key: shape(value) for key, value in told.items()}
        if isinstance(told, list):
            return [shape(value) for value in told]
        return sorted(re.findall(r"\{\w+\}", told))

    shapes = []
    for name in LANGUAGES:
        texts = Language.load(name, FLOW).texts
        assert texts["rules"].keys() == RULES.keys()
        by_text = {"words", "said"}
        shapes.append(shape({key: value for key, value in texts.items() if key not in by_text}))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (ENGLISH, "1,234,567; 12.5%; 5.2 MB; 4 KB; 45.5° S; 9 March 2026, 07:05 UTC"),
        (PORTUGUESE, "1.234.567; 12,5%; 5,2 MB; 4 KB; 45,5° S; 9 de março de 2026, 07:05 UTC"),
    ],
    ids=LANGUAGES,
)
def test_numbers_and_days_are_written_as_the_language_does(language, told):
    numbers = language.number(1_234_567), language.percent(1, 8), language.size(5_171_900)
    place, day = language.degrees(-45.5, "north_south"), language.time(datetime(2026, 3, 9, 7, 5))
    assert "; ".join((*numbers, language.size(4_096), place, day)) == told


def test_what_the_machinery_says_is_translated_as_far_as_it_is_known():
    assert PORTUGUESE.said("no name") == "sem name"
    assert PORTUGUESE.said("sum(stations) = silver") == "soma de stations = linhas da tabela limpa"
    assert PORTUGUESE.said("the API's by_kind 'a_b'") == "registros com 'a_b' em kind = os da fonte"
    assert PORTUGUESE.said(EVIL) == EVIL
    assert ENGLISH.said("no name") == "no name"


# The way of the rows


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_way_is_as_wide_as_its_rows(silver, rejected, duplicate):
    all_rows = silver + rejected + duplicate
    rows = {"api": all_rows, "bronze": all_rows, "silver": silver, "gold": silver}
    bars, bands = row_flow({**rows, "rejected": rejected, "duplicate": duplicate})
    width = {bar.name: bar.width for bar in bars}
    assert width.keys() == pictures.BARS.keys()
    assert {band.name for band in bands} <= pictures.BARS.keys() - {"api"}
    assert ("rejected" in {band.name for band in bands}) == (rejected > 0)
    for name, count in (("silver", silver), ("rejected", rejected), ("duplicate", duplicate)):
        share = pictures.BAND * count / max(all_rows, 1)
        assert width[name] == pytest.approx(max(pictures.MIN_WIDTH, share))


def test_the_way_of_a_half_made_lake_ends_early():
    bars, bands = row_flow({"api": 5, "bronze": 5})
    assert [bar.name for bar in bars] == ["api", "bronze"]
    assert [band.name for band in bands] == ["bronze"]
    assert row_flow({}) == ([], [])


# The map


def test_rows_are_counted_by_where_they_are():
    east, north = [1.1, 1.2, -0.1, None, 5.0, 200.0, 180.0], [2.1, 2.2, 0.0, 1.0, None, 0.0, -90.0]
    rows = pa.table({"east": pa.array(east), "north": pa.array(north)})
    assert cells_of(rows) == {"-1 0": 1, "2 4": 2, "360 -180": 1}


places = st.builds("{} {}".format, st.integers(-360, 359), st.integers(-180, 179))


@settings(max_examples=30)
@given(st.dictionaries(places, st.integers(1, 10**6), min_size=1, max_size=200))
def test_every_row_with_coordinates_is_on_the_map(cells):
    drawn = draw_map(cells)
    assert drawn.rows == sum(cells.values())
    dots = re.findall(r"M(\S+) (\S+)h0", "".join(drawn.dots))
    assert len(dots) == len(cells)
    for x, y in dots:
        assert 0 <= float(x) <= pictures.MAP_WIDTH and 0 <= float(y) <= drawn.height
    assert len(dots) <= pictures.MOST_DOTS
    assert 150 < drawn.height < 1300
    assert 2 <= len(drawn.meridians) <= 14
    assert all(0 <= at <= pictures.MAP_WIDTH for _, at in drawn.meridians)


# The page

BRONZE = {FLOW.bronze.path: facts().manifests[FLOW.bronze.path]}
OTHERS = {path: m for path, m in facts().manifests.items() if path not in BRONZE}
MISSING = "There is no silver/data/stations/_manifest.json yet."
NO_MORE = dict.fromkeys(("rejects", "changes", "chart"))
GATHERED = {
    "whole": facts(),
    "empty": NOTHING,
    "half": facts(manifests=BRONZE, missing=(MISSING,), **NO_MORE),
    "without bronze": facts(manifests=OTHERS),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", GATHERED)
def test_the_page_is_html_that_loads_nothing_and_runs_nothing(name, language):
    page = page_of(GATHERED[name], language, datetime(2026, 11, 23, tzinfo=timezone.utc))
    elements = Elements(page)
    assert page.startswith("<!DOCTYPE html>")
    assert not elements.tags & ACTIVE
    assert not [n for _, attributes in elements.found for n in attributes if n.startswith("on")]
    assert all(url.startswith("data:image/png;base64,") for url in elements.values("src"))
    ids = {f"#{name}" for name in elements.values("id")}
    assert {*elements.values("href")} <= ids
    assert not list(elements.values("xlink:href", "srcset", "style", "action"))
    assert not re.search(r"url\(|@import|@font-face", page)
    policy = next(elements.values("content"))
    assert policy.startswith("default-src 'none'")
    assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", page)
    assert next(elements.values("lang")) == language
    assert "viewport" in list(elements.values("name"))


def test_text_of_the_data_is_shown_as_it_is():
    page = page_of(facts())
    assert page.count("&lt;script&gt;") > 7
    assert any('<script>alert("1")</script>&<b>\'' in text for text in Elements(page).texts)


@pytest.mark.parametrize(("language", "bronze"), [("en", "12,345"), ("pt-BR", "12.345")])
def test_the_numbers_of_the_way_add_up(language, bronze):
    (told,) = re.findall(r'<p class="sum">(.*?bronze.*?)</p>', page_of(facts(), language))
    assert bronze in told
    found = re.findall(r"\d[\d.,]*", re.sub("<.*?>", " ", told))
    total, *parts = (int(re.sub("[.,]", "", number)) for number in found)
    assert total == sum(parts) == 12_345


def test_the_page_says_what_is_missing():
    assert "Nothing is published here yet" in page_of(NOTHING)
    assert "There is nothing." in page_of(NOTHING)
    half = page_of(GATHERED["half"])
    assert MISSING in half and half.count("not there") == 4
    assert "Not certain" in page_of(facts(missing=("This.",)))


def test_layers_of_different_answers_are_told_of():
    silver = facts().manifests[FLOW.silver.path].model_copy(update={"snapshot": BEFORE})
    page = page_of(facts(manifests={**BRONZE, **OTHERS, FLOW.silver.path: silver}))
    assert "not made from the same download" in page and "Not certain" in page


def test_equal_facts_are_equal_bytes():
    assert page_of(facts()) == page_of(facts())
    again = {"run": "20261125T000000Z-1", "seconds": 9.0}
    confirmed = {path: m.model_copy(update=again) for path, m in facts().manifests.items()}
    assert page_of(facts(manifests=confirmed)) == page_of(facts())
