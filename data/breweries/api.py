"""The Open Brewery DB: every record, proved complete.

The API behaves as github.com/openbrewerydb/openbrewerydb-laravel-api of August 2026: bare arrays of
at most 200 records a page, `/meta` with a total and counts, 120 requests a minute.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .client import Client
from .errors import ApiEmpty, CrawlIncomplete
from .manifest import Check
from .records import array_lines, parse, split_array
from .settings import Settings

FACETS = {  # what `/meta` counts by, to the fields of a record that hold it
    "by_type": ("brewery_type",),
    "by_country": ("country",),
    "by_state": ("state_province", "state"),
}

Page = list[tuple[str, Any]]
"""The records of a page, each as its text and its value."""


@dataclass(frozen=True)
class Crawl:
    """A crawl proved complete: how many records it fetched, and the proof."""

    records: int
    checks: tuple[Check, ...]


def crawl(settings: Settings, path: Path) -> Crawl:
    """Write every record of the API, as received, to a file (see `records`).

    The data may change under a crawl: it counts only if `/meta` says the same before and after and
    the records add up to it; else it is repeated, `BREWERIES_API_CRAWLS` times at most.

    Raises:
        ApiRefused, ApiGaveUp, ApiEmpty, CrawlIncomplete: nothing complete could be fetched.
    """
    with Client(settings) as client:
        for _ in range(settings.api_crawls):
            before = _meta(client, settings)
            if before.total == 0:
                raise ApiEmpty(settings.api_url)
            tally = _fetch(client, settings, before.total, path)
            after = _meta(client, settings)
            differences = tally.differences(after) or before.differences(after)
            if not differences:
                return Crawl(tally.records, tally.checks(after))
    raise CrawlIncomplete(settings.api_url, settings.api_crawls, differences)


def _fetch(client: Client, settings: Settings, total: int, path: Path) -> Tally:
    tally = Tally()

    def texts() -> Iterator[str]:
        with tqdm(total=total, desc="Open Brewery DB", unit=" breweries", mininterval=1) as bar:
            for page in _pages(client, settings, total):
                for text, record in page:
                    tally.add(record)
                    yield text
                bar.update(len(page))

    with path.open("wb") as file:
        file.writelines(array_lines(texts()))
    return tally


def _pages(client: Client, settings: Settings, total: int) -> Iterator[Page]:
    """All pages: those that a total of records fills, and more while the last one is full.

    The list may be longer than the total; not without end, since a server may ignore `page`.
    """
    size = settings.api_page_size
    number = total // size + 1  # the last of them is not full

    def page(number: int) -> Page:
        # The server gives no order of its own; by id, a page has the same rows each time.
        parameters = {"page": number, "per_page": size, "sort": "id:asc"}
        return client.get(settings.api_url, parameters, split_array)

    for last in client.in_order(page, range(1, number + 1)):
        yield last
    for further in range(number + 1, 2 * number + 1):
        if len(last) < size:
            return
        yield (last := page(further))


def _meta(client: Client, settings: Settings) -> Meta:
    def read(text: str) -> Meta:
        return Meta.parse(parse(text.strip())[0])

    return client.get(f"{settings.api_url}/meta", {}, read)


@dataclass(frozen=True)
class Meta:
    """What `/meta` says: the total, and the total by facet (empty where an old server has none)."""

    total: int
    facets: dict[str, Counter[str]]

    @classmethod
    def parse(cls, body: Any) -> Meta:
        """Read both shapes: numbers, and the strings that servers before 2025 sent.

        Raises:
            ValueError: it has neither shape.
        """
        if not isinstance(body, dict) or "total" not in body:
            raise ValueError("a body without a total")
        facets = {}
        for name in FACETS:
            # PHP writes an empty map as `[]`.
            counts = body.get(name) or {}
            if not isinstance(counts, dict):
                raise ValueError(f"{name} that is no object")
            if counts:
                facets[name] = fold({key: int(count) for key, count in counts.items()})
        return cls(int(body["total"]), facets)

    def differences(self, later: Meta) -> dict[str, dict[str, int]]:
        """What changed until a later answer: name to the counts then and now."""
        if self == later:
            return {}
        return {"/meta total before and after": {"fetched": self.total, "told": later.total}}


class Tally:
    """What the records fetched add up to; their ids are kept on disk, so any number may come."""

    def __init__(self) -> None:
        self.records = 0
        self.facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        self._nameless = 0
        self._ids = sqlite3.connect("")  # a temporary file, gone with the connection
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, record: Any) -> None:
        """Count one record of any shape; a repeated id counts once."""
        self.records += 1
        identity = record.get("id") if isinstance(record, dict) else None
        if not isinstance(identity, str) or not identity:
            self._nameless += 1
        elif not self._is_new(identity):
            return
        if isinstance(record, dict):
            for name, columns in FACETS.items():
                value = next((record[c] for c in columns if record.get(c) is not None), None)
                if value is not None:
                    self.facets[name][str(value)] += 1

    def _is_new(self, identity: str) -> bool:
        # As bytes, since an id may hold half a surrogate pair.
        key = identity.encode("utf-8", "surrogatepass")
        return self._ids.execute("INSERT OR IGNORE INTO ids VALUES (?)", (key,)).rowcount == 1

    @property
    def distinct(self) -> int:
        """Distinct ids, and each record without one as itself."""
        (named,) = self._ids.execute("SELECT count(*) FROM ids").fetchone()
        return int(named) + self._nameless

    def differences(self, meta: Meta) -> dict[str, dict[str, int]]:
        """Where it is not what `/meta` says: name to the counts fetched and told."""
        found = {}
        if self.distinct != meta.total:
            found["total"] = {"fetched": self.distinct, "told": meta.total}
        for name, told in meta.facets.items():
            fetched = fold(self.facets[name])
            for key in sorted(told.keys() | fetched.keys()):
                if fetched[key] != told[key]:
                    found[f"{name} {key}"] = {"fetched": fetched[key], "told": told[key]}
        return found

    def checks(self, meta: Meta) -> tuple[Check, ...]:
        """The proof of completeness, as a manifest keeps it."""
        total = Check(
            name="distinct records = /meta total", expected=meta.total, found=self.distinct
        )
        recounts = (
            Check(
                name=f"values of /meta {name}",
                expected=len(told),
                found=len(fold(self.facets[name])),
            )
            for name, told in meta.facets.items()
        )
        return (total, *recounts)


def fold(counts: Mapping[str, int]) -> Counter[str]:
    """Add up counts of keys that differ only in case, accents or spaces.

    A server's collation may count two spellings as one. Completeness is proved all the same, since
    no record changes its folded key by being fetched.
    """
    folded = Counter[str]()
    for key, count in counts.items():
        letters = unicodedata.normalize("NFKD", key.casefold())
        base = "".join(letter for letter in letters if not unicodedata.combining(letter))
        folded[" ".join(base.split())] += count
    return folded
