"""The crawl: writes all records of an API to a file, and repeats until it is proved complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..host.console import progress
from ..lake.manifest import Check
from ..lake.records import array_lines
from ..own_code import OwnCode
from ..settings import FlowSettings
from ..table import Table
from .api import Api
from .client import Client
from .completeness import Identities, Tally, Totals
from .errors import CONSTANT, UNSETTLED, ApiEmpty, CrawlIncomplete


@dataclass(frozen=True)
class Crawl:
    """A complete crawl: its number of records, and the proof."""

    records: int
    checks: tuple[Check, ...]


def crawl(
    api: Api,
    table: Table,
    settings: FlowSettings,
    path: Path,
    identities: Identities | None = None,
) -> Crawl:
    """Write all records of the API, as received, to a file (format: see `records`).

    The data may change during a crawl. A crawl is complete only if the API's totals are the same
    before and after it, and the records add up to them. If the API reports no totals, the crawl
    must find the same ids as the previous one. Else it is repeated, up to `<FLOW>_API_CRAWLS`
    times; FatalApiError if none was complete.
    """
    with Client(api, settings) as client:
        crawler = _Crawler(api, table, settings, path, identities, client)
        totals = crawler.totals()
        return crawler.agreed() if totals is None else crawler.added_up(totals)


@dataclass(frozen=True)
class _Crawler:
    api: Api
    table: Table
    settings: FlowSettings
    path: Path
    identities: Identities | None
    client: Client

    def totals(self) -> Totals | None:
        with OwnCode(self.api.totals, "the totals") as own:
            found = self.api.totals(self.client, self.settings)
            return found and own.expect(found, Totals, "Totals or None")

    def added_up(self, before: Totals) -> Crawl:
        met, remedy = None, UNSETTLED
        for _ in range(self.settings.api_crawls):
            if before.records == 0:
                raise self._empty()
            tally = self._fetch(before.records)
            after = self.totals() or Totals(0)
            differences = tally.differences(after)
            if not differences and before == after:
                return Crawl(tally.records, tally.checks(after))
            totals = {"fetched": before.records, "reported": after.records}
            differences = differences or {"total before and after": totals}
            if (tally.ids, before) == (met, after):
                remedy = CONSTANT.format(repeated=tally.repeated or "none")
            met, before = tally.ids, after
        crawls = self.settings.api_crawls
        raise CrawlIncomplete(self.settings.api_url, crawls, differences, remedy)

    def agreed(self) -> Crawl:
        before = self._fetch(None).ids
        for _ in range(self.settings.api_crawls):
            tally = self._fetch(None)
            if tally.ids == before and tally.records == 0:
                raise self._empty()
            if tally.ids == before:
                name = "distinct records of two walks that met the same ids"
                check = Check(name=name, expected=tally.distinct, found=tally.distinct)
                return Crawl(tally.records, (check,))
            (reported, _), before = before, tally.ids
        differences = {"ids of two walks": {"fetched": tally.distinct, "reported": reported}}
        crawls = self.settings.api_crawls + 1
        raise CrawlIncomplete(self.settings.api_url, crawls, differences, UNSETTLED)

    def _empty(self) -> ApiEmpty:
        settings = self.settings
        return ApiEmpty(settings.api_url, self.api.unit, settings.name_of("API_URL"))

    def _fetch(self, total: int | None) -> Tally:
        """Fetch all records, of which the API reports so many, if it does."""
        api = self.api
        file = self.path.with_suffix(".ids")
        tally = Tally(api.facets, self.table, file, self.identities, api.excuse)

        def texts() -> Iterator[str]:
            with progress(doing=api.title, total=total, unit=api.unit) as bar:
                for page in api.pages(self.client, self.settings, total):
                    # JSON allows line breaks only between tokens, so a space can replace one.
                    lines = [(t.replace("\n", " ").replace("\r", " "), one) for t, one in page]
                    tally.add(lines)
                    yield from (text for text, _ in lines)
                    bar.update(len(page))

        with self.path.open("wb") as out:
            out.writelines(array_lines(texts()))
        return tally
