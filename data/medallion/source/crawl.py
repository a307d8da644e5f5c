"""The crawl: writes all records of an API to a file, and repeats until it is proved complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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

New = Callable[[], Tally]
Fetch = Callable[[int | None], Tally]
"""Fetches all records, of which the API reports so many, if it does."""


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
    times.

    Raises:
        FatalApiError: no complete crawl was possible.
    """
    with Client(api, settings) as client:
        tally = partial(Tally, api.facets, table, path.with_suffix(".ids"), identities, api.excuse)
        fetch = partial(_fetch, api, tally, settings, client, path)
        totals = _totals(api, client, settings)
        if totals is None:
            return _agreed(api, settings, fetch)
        return _added_up(api, settings, client, fetch, totals)


def _totals(api: Api, client: Client, settings: FlowSettings) -> Totals | None:
    with OwnCode(api.totals, "the totals") as own:
        found = api.totals(client, settings)
        return found and own.expect(found, Totals, "Totals or None")


def _added_up(
    api: Api, settings: FlowSettings, client: Client, fetch: Fetch, before: Totals
) -> Crawl:
    met, remedy = None, UNSETTLED
    for _ in range(settings.api_crawls):
        if before.records == 0:
            raise ApiEmpty(settings.api_url, api.unit, settings.name_of("API_URL"))
        tally = fetch(before.records)
        after = _totals(api, client, settings) or Totals(0)
        differences = tally.differences(after)
        if not differences and before == after:
            return Crawl(tally.records, tally.checks(after))
        told = {"fetched": before.records, "reported": after.records}
        differences = differences or {"total before and after": told}
        if (tally.ids, before) == (met, after):
            remedy = CONSTANT.format(repeated=tally.repeated or "none")
        met, before = tally.ids, after
    raise CrawlIncomplete(settings.api_url, settings.api_crawls, differences, remedy)


def _agreed(api: Api, settings: FlowSettings, fetch: Fetch) -> Crawl:
    before = fetch(None).ids
    for _ in range(settings.api_crawls):
        tally = fetch(None)
        if tally.ids == before and tally.records == 0:
            raise ApiEmpty(settings.api_url, api.unit, settings.name_of("API_URL"))
        if tally.ids == before:
            name = "distinct records of two walks that met the same ids"
            check = Check(name=name, expected=tally.distinct, found=tally.distinct)
            return Crawl(tally.records, (check,))
        (reported, _), before = before, tally.ids
    differences = {"ids of two walks": {"fetched": tally.distinct, "reported": reported}}
    crawls, remedy = settings.api_crawls + 1, UNSETTLED
    raise CrawlIncomplete(settings.api_url, crawls, differences, remedy)


def _fetch(
    api: Api, new: New, settings: FlowSettings, client: Client, path: Path, total: int | None
) -> Tally:
    tally = new()

    def texts() -> Iterator[str]:
        with progress(doing=api.title, total=total, unit=api.unit) as bar:
            for page in api.pages(client, settings, total):
                # JSON allows line breaks only between tokens, so a space can replace one.
                lines = [(t.replace("\n", " ").replace("\r", " "), record) for t, record in page]
                tally.add(lines)
                yield from (text for text, _ in lines)
                bar.update(len(page))

    with path.open("wb") as file:
        file.writelines(array_lines(texts()))
    return tally
