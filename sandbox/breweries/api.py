"""A local Open Brewery DB: serves given records on loopback as the real server would.

It follows the Laravel server (github.com/openbrewerydb/openbrewerydb-laravel-api, commit 612fe38 of
2026-08-06) in what a crawl meets: the list and its sorting, `/meta`, validation, rate limit,
headers and errors. A filter answers 422, so that nobody takes the whole list for a part of it.

Records may be anything JSON can hold. They are listed as they are, whether or not they look like
breweries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado.web import Application

from ..faults import Faults, Mischief
from ..local import LOOPBACK, LocalApi
from .handlers import PATH, application
from .served import Request, Served


class LocalBreweryApi(LocalApi):
    """The server.

        with LocalBreweryApi(generate()) as api:
            requests.get(api.url, params={"page": 1}, headers={"Accept": "application/json"})

    `records` and `faults` may be replaced from any thread while it runs; a request under way is
    answered from the old ones.

    Args:
        records: what to serve, in the order of the unsorted list.
        faults: what goes wrong; nothing by default, but the rate limit is the real one.
        port: 0 for any free one.
        host: the address to listen on; another than 127.0.0.1 only inside a container.

    Raises:
        OSError: on entering, if the port is taken.
    """

    def __init__(
        self,
        records: Sequence[Any],
        *,
        faults: Faults | None = None,
        port: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        super().__init__(PATH, port, host)
        self._served = Served(records, faults or Faults())

    def application(self) -> Application:  # noqa: D102 - as LocalApi says
        self._served.root = self.root
        return application(self._served)

    @property
    def records(self) -> list[Any]:
        """The records served now, in the unsorted list's order.

        Assign to replace them; what is done to the list, or to its records, is not noticed.
        """
        return list(self._served.data.records)

    @records.setter
    def records(self, records: Sequence[Any]) -> None:
        self._served.replace(records)

    @property
    def faults(self) -> Faults:
        """The faults in force. Assigning starts their counts, and the rate limit's, again."""
        return self._served.mischief.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._served.mischief = Mischief(faults)

    @property
    def requests(self) -> list[Request]:
        """The requests so far, those under way included: the last 100,000, oldest first."""
        return list(self._served.requests)

    @property
    def most_at_once(self) -> int:
        """The greatest number of requests that were under way at the same time."""
        return self._served.most_at_once
