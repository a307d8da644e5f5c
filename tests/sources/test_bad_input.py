"""What an API may say that is not so: it ends in one sentence, and nothing is published."""

from dataclasses import replace

import pytest

from data.medallion.source.errors import ApiGaveUp, ApiRefused, CrawlIncomplete
from tests.answers import Answer
from tests.conftest import raw_get
from tests.sources import public
from tests.sources.plain import PLAIN, STATIONS, paged
from tests.sources.shape import TOKEN, said

SHAPES = {shape.name: shape for shape in [*public.PUBLIC, *PLAIN]}
HTML = Answer("<html>Down for maintenance</html>", headers={"Content-Type": "text/html"})
TWICE = [*STATIONS, STATIONS[7]]
UNORDERED = replace(public.SOCRATA, api=replace(public.SOCRATA.api, parameters={}))


def capped(request):
    """It tells of all its records, and gives no more than 200."""
    return paged(STATIONS[:200], told=len(STATIONS))(request)


BAD = [
    ("paged", paged(STATIONS, told=-1), ApiGaveUp, "a total of -1, which cannot be"),
    ("paged", paged(TWICE), CrawlIncomplete, r"300 fetched, 301 reported.*there twice: st-007\)"),
    ("paged", capped, CrawlIncomplete, "200 fetched, 300 reported.*may give no more than these"),
    ("gbif", public.gbif, ApiRefused, "HTTP 400 .Max offset of 501 exceeded: 300"),
    ("socrata", public.socrata, CrawlIncomplete, "run again when its data have settled"),
    ("paged", lambda _: HTML, ApiGaveUp, r"cannot be used.*text/html, \d+ bytes"),
    ("ndjson", lambda _: HTML, ApiGaveUp, r"cannot be used.*text/html, \d+ bytes"),
    ("csv", lambda _: HTML, ApiGaveUp, r"HTML or XML, and no CSV .text/html, \d+ bytes"),
    ("paged", lambda _: Answer("", 103), ApiRefused, "HTTP 103"),
    ("paged", lambda _: said([1, 2]), ApiGaveUp, "no total in count"),
    ("paged", lambda _: Answer(status=0), ApiGaveUp, "cannot be reached"),
]


@pytest.mark.server
@pytest.mark.parametrize(("name", "answer", "error", "sentence"), BAD)
def test_an_answer_that_is_not_so_publishes_nothing(
    start, monkeypatch, capsys, name, answer, error, sentence
):
    monkeypatch.setattr(public, "DEEPEST", 500)
    chain, _ = start(UNORDERED if name == "socrata" else SHAPES[name], answer)
    with pytest.raises(error, match=sentence):
        chain.crawl()
    (log,) = chain.lake.store.listed("bronze", "logs/")
    told = f"{raw_get(chain.lake, 'bronze', log).decode()}{capsys.readouterr().out}"
    assert TOKEN not in told
    assert "unexpected" not in told
    assert not [key for key in chain.lake.store.listed("bronze", "data/") if "_versions" in key]
