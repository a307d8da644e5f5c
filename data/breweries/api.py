"""The requests to the Open Brewery DB: for its records and its totals.

It behaves as github.com/openbrewerydb/openbrewerydb-laravel-api of August 2026: bare arrays of at
most 200 records a page, `/meta` with a total and counts, 120 requests a minute.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..medallion.settings import FlowSettings
from ..medallion.source.api import Api
from ..medallion.source.client import Client
from ..medallion.source.completeness import Totals, fold
from ..medallion.source.exchange import Request
from ..medallion.source.pagination import PageNumber


class OpenBreweryDB(Api):
    """The API of the Open Brewery DB, whose totals are counted by facets."""

    def totals(self, client: Client, settings: FlowSettings) -> Totals:
        """The totals of `/meta`."""
        request = Request(f"{settings.api_url}/meta")
        return client.send(request, lambda response: self.read_meta(response.json))

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

    def excuse(self, spellings: Mapping[str, int], reported: int) -> str:
        """Excuse a count that the server overwrote.

        It counts by spelling, then lowers the keys (`mb_strtolower`). If spellings differ only in
        case, the last count overwrites the others. The total includes them all.
        """
        if not (
            reported < sum(spellings.values()) and is_sum_of_some(reported, spellings.values())
        ):
            return ""
        shown = ", ".join(map(repr, sorted(spellings)[:5]))
        more = f" and {len(spellings) - 5} more" if len(spellings) > 5 else ""
        return (
            f"the records spell it {shown}{more}; the API puts spellings that differ in case under "
            "one key, and keeps the last one's count"
        )


def is_sum_of_some(number: int, counts: Collection[int]) -> bool:
    """Whether a number is the sum of one or more of the counts."""
    sums = 1  # bit n is set if some of the counts so far add up to n
    for count in counts:
        sums |= sums << count
    return number > 0 and bool(sums >> number & 1)


API = OpenBreweryDB(
    title="Open Brewery DB",
    unit="breweries",
    url="https://api.openbrewerydb.org/v1/breweries",
    paging=PageNumber("page", size="per_page"),
    # Without an order, a page may have other rows each time; by id, they are the same.
    parameters={"sort": "id:asc"},
    page_size=200,  # more is refused with 422
    requests_per_minute=120,
    # A parameter that the server ignores. Many shared caches ignore `no-cache`.
    unique="fresh",
    facets={"by_type": "brewery_type", "by_country": "country", "by_state": "state"},
)
