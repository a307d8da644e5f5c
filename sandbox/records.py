"""A local API for any flow: it serves the records of a file, page by page.

A page is a JSON array; the next page is in a `Link` header. The parameters are `per_page`, and
`page` or `cursor`. It has no totals, no filters and no faults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from tornado.web import Application, RequestHandler

from .local import LOOPBACK, LocalApi

LARGEST_PAGE = 1000


class RecordsApi(LocalApi):
    """The server.

    Args:
        records: the records to serve, in this order.
        path: the path of the list.
        token: the token that a request must have, else it gets 401; "" for none.
        port: 0 for any free one.
        host: the address to listen on.

    Raises:
        OSError: on entering, if the port is taken.
    """

    def __init__(
        self,
        records: Sequence[Any],
        path: str,
        token: str = "",
        port: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        super().__init__(path, port, host)
        self.records = list(records)
        self.token = token

    def application(self) -> Application:  # noqa: D102 - as LocalApi says
        return Application([(f"{self._path}/?", _List, {"api": self})], log_function=_say_nothing)


class _List(RequestHandler):
    def initialize(self, api: RecordsApi) -> None:
        self.api = api

    def get(self) -> None:
        if self.api.token and self.request.headers.get("Authorization") != (
            f"Bearer {self.api.token}"
        ):
            self._answer(401, {"message": "Unauthorized"})
            return
        try:
            size = int(self.get_query_argument("per_page", "100"))
            start = int(self.get_query_argument("cursor", "0"))
            start += (int(self.get_query_argument("page", "1")) - 1) * size
        except ValueError:
            size, start = 0, 0
        if not 0 < size <= LARGEST_PAGE or start < 0:
            message = f"per_page is 1 to {LARGEST_PAGE}, page from 1, cursor from 0"
            self._answer(422, {"message": message})
            return
        if start + size < len(self.api.records):
            following = urlencode({"cursor": start + size, "per_page": size})
            self.set_header("Link", f'<{self.api.url}?{following}>; rel="next"')
        self._answer(200, self.api.records[start : start + size])

    def _answer(self, status: int, body: Any) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body, ensure_ascii=False))


def _say_nothing(handler: RequestHandler) -> None:
    """Log nothing about requests."""
