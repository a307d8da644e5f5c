"""A local Open Brewery DB: serves given records on loopback as the real server would.

It follows the Laravel server (github.com/openbrewerydb/openbrewerydb-laravel-api, commit 612fe38 of
2026-08-06) in what a crawl meets: the list and its sorting, `/meta`, validation, rate limit,
headers and errors. A filter answers 422, so that nobody takes the whole list for a part of it.

Records may be anything JSON can hold. They are listed as they are, whether or not they look like
breweries.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from typing_extensions import Self

from data.medallion.host.command import heard

from ..faults import Faults, Mischief
from .handlers import PATH, application
from .served import Request, Served

LOOPBACK = "127.0.0.1"


class LocalBreweryApi:
    """The server. Use it in a `with` statement, or call `serve_forever`.

        with LocalBreweryApi(generate()) as api:
            requests.get(api.url, params={"page": 1}, headers={"Accept": "application/json"})

    It listens on 127.0.0.1 unless told otherwise. `records` and `faults` may be replaced from any
    thread while it runs; a request under way is answered from the old ones.

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
        self._port = port
        self._host = host
        self._served = Served(records, faults or Faults())
        self._stop: Callable[[], object] = lambda: None
        self._thread: threading.Thread | None = None

    @property
    def root(self) -> str:
        """The site's address, "http://127.0.0.1:<port>"."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """The list's address, "http://127.0.0.1:<port>/v1/breweries"."""
        return self.root + PATH

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

    def __enter__(self) -> Self:
        sockets = self._bind()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sockets, ready.set)),
            name="local-brewery-api",
            daemon=True,
        )
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()
        if self._thread:
            self._thread.join()

    def serve_forever(self, on_ready: Callable[[str], object] = lambda url: None) -> None:
        """Serve in this thread, the main one, until a signal of `ENDING`; then return.

        Args:
            on_ready: is called with `url` once the server answers.

        Raises:
            OSError: if the port is taken.
        """
        sockets = self._bind()

        def ready() -> None:
            loop = asyncio.get_running_loop()
            for number in heard():
                loop.add_signal_handler(number, self._stop)
            on_ready(self.url)

        asyncio.run(self._serve(sockets, ready))

    def _bind(self) -> list[socket.socket]:
        sockets = bind_sockets(self._port, self._host, socket.AF_INET)
        self._port = sockets[0].getsockname()[1]
        self._served.root = self.root
        return sockets

    async def _serve(self, sockets: list[socket.socket], ready: Callable[[], object]) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server = HTTPServer(application(self._served))
        server.add_sockets(sockets)
        ready()
        await stopped.wait()
        # Tornado would tell of each request that is still waiting by a traceback.
        loop.set_exception_handler(_unless_cancelled)
        server.stop()
        await server.close_all_connections()


def _unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)
