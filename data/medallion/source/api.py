"""The declaration of an API: its address, limits, pages and totals."""

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
    """An API that lists records in pages. A flow overrides what is different in its API."""

    title: str
    """The API's name, for people."""
    unit: str = "records"
    """What the API's records are, in the plural."""
    url: str
    """The default address of its list; `<FLOW>_API_URL` overrides it."""
    page_size: int = 100
    """The API's maximum of records per page; `<FLOW>_API_PAGE_SIZE` can set fewer."""
    requests_per_minute: int = 120
    """The default limit, 0 for none; `<FLOW>_API_REQUESTS_PER_MINUTE` overrides it."""
    facets: Mapping[str, str] = {}
    """The facets for which the API reports counts: its name of each, to the table's column."""

    def headers(self, settings: FlowSettings) -> dict[str, str]:
        """More headers for each request: by default the token, if `<FLOW>_API_TOKEN` is set."""
        token = settings.api_token.get_secret_value()
        return {"Authorization": f"Bearer {token}"} if token else {}

    @abstractmethod
    def pages(
        self, client: Client, settings: FlowSettings, total: int | None
    ) -> Iterator[list[Item]]:
        """Yield all records, page by page; `pagination` has the usual kinds.

        `total` is the number of records that the API reports; None if it reports no total.

        Raises:
            FatalApiError: a page could not be fetched.
        """

    def totals(self, client: Client, settings: FlowSettings) -> Totals | None:
        """The totals that the API reports; None if it reports none, and must be crawled twice.

        Raises:
            FatalApiError: the totals could not be fetched.
        """
        return None
