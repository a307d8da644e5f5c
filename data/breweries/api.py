"""The requests to the Open Brewery DB: for its records and its totals.

It behaves as github.com/openbrewerydb/openbrewerydb-laravel-api of August 2026: bare arrays of at
most 200 records a page, `/meta` with a total and counts, 120 requests a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from data.medallion.lake.records import Item, parse, split_array
from data.medallion.settings import FlowSettings
from data.medallion.source.api import Api
from data.medallion.source.client import Client, Response
from data.medallion.source.completeness import Totals, fold
from data.medallion.source.pagination import numbered

UNIQUE = "fresh"
"""A parameter that the server ignores. Many shared caches ignore `no-cache`, and store a response
by its whole address. So only a request with a new address is sure to reach the server."""


class OpenBreweryDB(Api):
    """The API of the Open Brewery DB."""

    title = "Open Brewery DB"
    unit = "breweries"
    url = "https://api.openbrewerydb.org/v1/breweries"
    page_size = 200  # more is refused with 422
    requests_per_minute = 120
    facets = {"by_type": "brewery_type", "by_country": "country", "by_state": "state"}  # noqa: RUF012

    def pages(
        self, client: Client, settings: FlowSettings, total: int | None
    ) -> Iterator[list[Item]]:
        """All pages: as many as the total fills, and more while the last page is full."""
        size = settings.api_page_size

        def page(number: int) -> list[Item]:
            # Without an order, a page may have other rows each time; by id, they are the same.
            parameters = {"page": number, "per_page": size, "sort": "id:asc"}
            return client.get(settings.api_url, parameters, records, UNIQUE)

        return numbered(client, page, size, total or 0)

    def totals(self, client: Client, settings: FlowSettings) -> Totals:
        """The totals of `/meta`."""
        return client.get(
            f"{settings.api_url}/meta",
            {},
            lambda response: self.read_meta(parse(response.text.strip())[0]),
            UNIQUE,
        )

    def read_meta(self, body: Any) -> Totals:
        """Read both shapes of `/meta`: numbers, and the strings that servers before 2025 sent.

        Raises:
            ValueError: it has neither shape.
        """
        if not isinstance(body, dict) or "total" not in body:
            raise ValueError("a body without a total")
        facets = {}
        for name in self.facets:
            # PHP writes an empty map as `[]`.
            counts = body.get(name) or {}
            if not isinstance(counts, dict):
                raise ValueError(f"{name} that is no object")
            if counts:
                facets[name] = fold({key: int(count) for key, count in counts.items()})
        return Totals(int(body["total"]), facets)


def records(response: Response) -> list[Item]:
    """The records of a page, as received."""
    return split_array(response.text)
