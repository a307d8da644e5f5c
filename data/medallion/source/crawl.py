"""The crawl: every record of the API into a file, repeated until it is proved complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...breweries import api
from ..errors import ApiEmpty, CrawlIncomplete
from ..host.console import progress
from ..lake.datasets import SOURCE
from ..lake.manifest import Check
from ..lake.records import array_lines
from ..settings import Settings
from .client import Client
from .completeness import Tally


@dataclass(frozen=True)
class Crawl:
    """A crawl proved complete: how many records it fetched, and the proof."""

    records: int
    checks: tuple[Check, ...]


def crawl(settings: Settings, path: Path) -> Crawl:
    """Write every record of the API, as received, to a file (see `records`).

    The data may change under a crawl: it counts only if the API's totals are the same before and
    after and the records add up to them; else it is repeated, `BREWERIES_API_CRAWLS` times at most.

    Raises:
        ApiRefused, ApiGaveUp, ApiEmpty, CrawlIncomplete: nothing complete could be fetched.
    """
    with Client(settings) as client:
        for _ in range(settings.api_crawls):
            before = api.totals(client, settings)
            if before.records == 0:
                raise ApiEmpty(settings.api_url)
            tally = _fetch(client, settings, before.records, path)
            after = api.totals(client, settings)
            differences = tally.differences(after) or before.differences(after)
            if not differences:
                return Crawl(tally.records, tally.checks(after))
    raise CrawlIncomplete(settings.api_url, settings.api_crawls, differences)


def _fetch(client: Client, settings: Settings, total: int, path: Path) -> Tally:
    tally = Tally(api.FACETS, path.with_suffix(".ids"))

    def texts() -> Iterator[str]:
        with progress(doing=SOURCE, total=total, unit="breweries") as bar:
            for page in api.pages(client, settings, total):
                for text, record in page:
                    tally.add(record)
                    yield text
                bar.update(len(page))

    with path.open("wb") as file:
        file.writelines(array_lines(texts()))
    return tally
