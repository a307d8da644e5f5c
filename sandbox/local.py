"""A local server: in its own thread, or in the main thread until a signal ends it."""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from typing_extensions import Self

from data.medallion.host.command import heard

LOOPBACK = "127.0.0.1"


class LocalApi(ABC):
    """A local stand-in for an API. Use it in a `with` statement, or call `serve_forever`.

    Args:
        path: the path of its list, such as "/v1/breweries".
        port: 0 for any free one.
        host: the address to listen on; use 127.0.0.1 outside a container.

    Raises:
        OSError: on entering, if the port is taken.
    """

    def __init__(self, path: str, port: int = 0, host: str = LOOPBACK) -> None:
        self._path = path
        self._port = port
        self._host = host
        self._stop: Callable[[], object] = lambda: None
        self._thread: threading.Thread | None = None

    @abstractmethod
    def application(self) -> Application:
        """The paths and their handlers."""

    @property
    def root(self) -> str:
        """The address of the server, "http://127.0.0.1:<port>"."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def url(self) -> str:
        """The address of the list."""
        return self.root + self._path

    def variables(self, prefix: str) -> Mapping[str, str]:
        """The settings of a flow that asks this server; `prefix` is that of their names."""
        return {f"{prefix}API_URL": self.url}

    def __enter__(self) -> Self:
        sockets = self._bind()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(sockets, ready.set)), name="api", daemon=True
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
        """Serve in the main thread until a signal of `ENDING`, then return.

        Args:
            on_ready: called with `url` when the server is ready.

        Raises:
            OSError: the port is taken.
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
        return sockets

    async def _serve(self, sockets: list[socket.socket], ready: Callable[[], object]) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        server = HTTPServer(self.application())
        server.add_sockets(sockets)
        ready()
        await stopped.wait()
        # Else Tornado prints a traceback for each waiting request.
        loop.set_exception_handler(_unless_cancelled)
        server.stop()
        await server.close_all_connections()


def _unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)
