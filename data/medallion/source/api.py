"""What the machinery must know of an API: its address, limits, pages and totals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..lake.records import Item
    from ..settings import FlowSettings
    from .client import Client
    from .completeness import Totals


class Api(ABC):
    """An API that lists records in pages. A flow overrides what differs in its own API."""

    title: str
    """What people call it."""
    unit: str = "records"
    """What a record is called, in the plural."""
    url: str
    """The address of its list, unless `<FLOW>_API_URL` says another."""
    page_size: int = 100
    """Records a page, unless `<FLOW>_API_PAGE_SIZE` says less; it gives no more."""
    requests_per_minute: int = 120
    """Its limit, unless `<FLOW>_API_REQUESTS_PER_MINUTE` says otherwise; 0 for none."""
    facets: Mapping[str, str] = {}
    """What it counts its records by: its own name for each, to the column of the table."""

    def headers(self, settings: FlowSettings) -> dict[str, str]:
        """What is sent with each request besides: the token, if `<FLOW>_API_TOKEN` is set."""
        token = settings.api_token.get_secret_value()
        return {"Authorization": f"Bearer {token}"} if token else {}

    @abstractmethod
    def pages(
        self, client: Client, settings: FlowSettings, total: int | None
    ) -> Iterator[list[Item]]:
        """All records, page by page; `pagination` has the usual ways.

        Args:
            client: asks.
            settings: of the flow.
            total: how many records it says it has; None where it tells no total.

        Raises:
            FatalApiError: a page could not be had.
        """

    def totals(self, client: Client, settings: FlowSettings) -> Totals | None:
        """What the API says it holds; None if it reports no total: then it is crawled twice.

        Raises:
            FatalApiError: it did not say.
        """
        return None
