"""A local Open Brewery DB: serves given records on loopback, as the real server would.

It follows the Laravel server (github.com/openbrewerydb/openbrewerydb-laravel-api, commit 612fe38 of
2026-08-06) in all that a crawl uses: the list and its sorting, `/meta`, validation, rate limit,
headers and errors. A filter gets 422, so that nobody mistakes the whole list for a filtered one.

Records may be any JSON. They are listed as they are, even if they do not look like breweries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tornado.web import Application

from ..faults import FaultInjector, Faults
from ..local import LOOPBACK, LocalApi
from .handlers import PATH, application
from .served import Request, Served


class LocalBreweryApi(LocalApi):
    """The server.

        with LocalBreweryApi(generate()) as api:
            requests.get(api.url, params={"page": 1}, headers={"Accept": "application/json"})

    Any thread may replace `records` and `faults` while it runs. An active request still uses the
    old ones.

    Args:
        records: the records to serve, in the order of the unsorted list.
        faults: the faults; by default none, with the real rate limit.
        port: 0 for any free one.
        host: the address to listen on; use 127.0.0.1 outside a container.

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
        """The records that are served, in the order of the unsorted list.

        Assign a new list to replace them. Changes of this list or its records have no effect.
        """
        return list(self._served.data.records)

    @records.setter
    def records(self, records: Sequence[Any]) -> None:
        self._served.replace(records)

    @property
    def faults(self) -> Faults:
        """The current faults. An assignment restarts their counts, and that of the rate limit."""
        return self._served.injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._served.injector = FaultInjector(faults)

    @property
    def requests(self) -> list[Request]:
        """The last 100,000 requests, with the active ones, oldest first."""
        return list(self._served.requests)

    @property
    def most_at_once(self) -> int:
        """The largest number of concurrent requests so far."""
        return self._served.most_at_once
