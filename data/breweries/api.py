"""How the Open Brewery DB is asked for its records and its totals. Another API begins here.

It behaves as github.com/openbrewerydb/openbrewerydb-laravel-api of August 2026: bare arrays of at
most 200 records a page, `/meta` with a total and counts, 120 requests a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..medallion.lake.records import Item, parse, split_array
from ..medallion.settings import Settings
from ..medallion.source.client import Client
from ..medallion.source.completeness import Totals, fold
from .table import KIND

FACETS = {"by_type": KIND, "by_country": "country", "by_state": "state"}
"""What `/meta` counts by, to the column."""

UNIQUE = "fresh"
"""The server ignores what it does not know; a shared cache keys by the whole address, and many heed
no `no-cache`, so that only an address never asked before is sure to be answered by the server."""


def pages(client: Client, settings: Settings, total: int) -> Iterator[list[Item]]:
    """All pages: those that a total of records fills, and more while the last one is full.

    The list may be longer than the total; not without end, since a server may ignore `page`.

    Raises:
        ApiRefused, ApiGaveUp: a page could not be had.
    """
    size = settings.api_page_size
    number = total // size + 1  # the last of them is not full

    def page(number: int) -> list[Item]:
        # The server gives no order of its own; by id, a page has the same rows each time.
        parameters = {"page": number, "per_page": size, "sort": "id:asc"}
        return client.get(settings.api_url, parameters, split_array, UNIQUE)

    for last in client.in_order(page, range(1, number + 1)):
        yield last
    for further in range(number + 1, 2 * number + 1):
        if len(last) < size:
            return
        yield (last := page(further))


def totals(client: Client, settings: Settings) -> Totals:
    """What the API says it holds.

    Raises:
        ApiRefused, ApiGaveUp: it did not say.
    """
    return client.get(
        f"{settings.api_url}/meta", {}, lambda text: read_meta(parse(text.strip())[0]), UNIQUE
    )


def read_meta(body: Any) -> Totals:
    """Read both shapes of `/meta`: numbers, and the strings that servers before 2025 sent.

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
    return Totals(int(body["total"]), facets)
