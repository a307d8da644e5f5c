"""A local API for any flow: it serves records in the shape that the flow's `Api` declares.

So the declaration is tried before the real API is. It has no filters and no faults.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any
from urllib.parse import urlencode, urljoin

from tornado.web import Application, RequestHandler

from data.medallion.flow import Flow
from data.medallion.source.api import Total
from data.medallion.source.auth import ClientCredentials, Token
from data.medallion.source.bodies import EACH, Body, Csv, Json, JsonLines
from data.medallion.source.pagination import (
    Cursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
)

from .local import LOOPBACK, LocalApi

START = "from"
"""The parameter of links, and what stands in a cursor."""


@dataclass(frozen=True)
class Slice:
    """A part of the records."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The number of the record after it."""
        return self.start + self.size


class DeclaredApi(LocalApi):
    """The server.

    Args:
        flow: the flow of the API.
        records: the records to serve, in this order.
        token: the token that a request must have, else it gets 401; "" for none.
        port: 0 for any free one.
        host: the address to listen on.

    Raises:
        OSError: on entering, if the port is taken.
    """

    def __init__(
        self, flow: Flow, records: Sequence[Any], token: str, port: int = 0, host: str = LOOPBACK
    ) -> None:
        super().__init__(f"/{flow.name}", port, host)
        self.api = flow.api
        self.records = list(records)
        self.token = token
        self.details: dict[str, Any] = {}
        total = self.api.total
        self.total = Total(total) if isinstance(total, str) else total or Total()

    def variables(self, prefix: str) -> Mapping[str, str]:  # noqa: D102 - as LocalApi says
        own = {
            "API_TOKEN": self.token,
            "API_TOKEN_URL": f"{self.url}/token",
            "API_CLIENT_ID": "local",
            "API_CLIENT_SECRET": self.token,
        }
        return {**super().variables(prefix), **{f"{prefix}{n}": value for n, value in own.items()}}

    def application(self) -> Application:  # noqa: D102 - as LocalApi says
        for number, record in enumerate(self.records if self.api.detail else ()):
            listed = {**record, "url": f"{self.url}/record/{number}"}
            address = urljoin(self.url, self.api.detail.format_map(listed))
            self.details[address.removeprefix(self.root)] = record
        return Application([(r"/.*", _Answer, {"api": self})], log_function=_say_nothing)

    def listed(self, part: Slice) -> list[Any]:
        """What the list says of some records."""
        records = self.records[part.start : part.end]
        if not self.api.detail:
            return records
        named = {name for _, name, _, _ in Formatter().parse(self.api.detail) if name}
        addresses = list(self.details)[part.start : part.end]
        return [
            {name: self.root + address if name == "url" else record[name] for name in named}
            for address, record in zip(addresses, records, strict=True)
        ]


class _Answer(RequestHandler):
    def initialize(self, api: DeclaredApi) -> None:
        self.api = api

    def get(self) -> None:
        api, total = self.api, self.api.total
        if not self._knows_who_asks():
            self._say(401, {"message": "Unauthorized"})
        elif self.request.path in api.details:
            self._say(200, api.details[self.request.path])
        elif self._asks_for_total():
            self._say(200, _nested(total.path, len(api.records)))
        elif self.request.path.rstrip("/") == api.url.removeprefix(api.root):
            self._list()
        else:
            self._say(404, {"message": "Not Found"})

    def post(self) -> None:
        if self.request.path.endswith("/token"):
            self._say(200, {"access_token": self.api.token, "token_type": "Bearer"})
        else:
            self.get()

    def _list(self) -> None:
        try:
            part = self._part()
        except ValueError:
            part = Slice(0, 0)
        if not 0 < part.size <= self._largest or part.start < 0:
            self._say(422, {"message": f"a page has 1 to {self._largest} records"})
            return
        total, following = self.api.total, part.end < len(self.api.records)
        link = f"{self.api.url}?{urlencode({START: part.end})}" if following else None
        paging = self.api.api.paging
        if isinstance(paging, HeaderLink) and link:
            self.set_header("Link", f'<{link}>; rel="next"')
        if total.header:
            self.set_header(total.header, str(len(self.api.records)))
        body = self.api.api.records
        body = Json(body) if isinstance(body, str) else body
        content = _written(body, self.api.listed(part))
        if isinstance(paging, JsonLink):
            content = _merged(content, _nested(paging.path, link))
        if isinstance(paging, Cursor):
            content = _merged(content, _nested(paging.path, str(part.end) if following else None))
        if total.path and not (total.url or total.parameters):
            content = _merged(content, _nested(total.path, len(self.api.records)))
        self._say(200, content)

    @property
    def _largest(self) -> int:
        declared = self.api.api
        is_one = isinstance(declared.paging, SinglePage)
        return max(len(self.api.records), 1) if is_one else declared.page_size

    def _part(self) -> Slice:
        paging, largest = self.api.api.paging, self._largest
        given = {name: values[-1].decode() for name, values in self.request.arguments.items()}
        if self.api.api.method == "POST":
            given = json.loads(self.request.body)
        if isinstance(paging, SinglePage):
            return Slice(0, largest)
        size = int(given.get(paging.size, largest))
        if isinstance(paging, PageNumber):
            return Slice(
                (int(given.get(paging.position, paging.start)) - paging.start) * size, size
            )
        if isinstance(paging, Offset):
            return Slice(int(given.get(paging.position, paging.start)) - paging.start, size)
        if isinstance(paging, Cursor):
            cursor = given.get(paging.cursor, paging.start)
            return Slice(0 if cursor == paging.start else int(cursor), size)
        return Slice(int(given.get(START, 0)), size)

    def _asks_for_total(self) -> bool:
        total, asked = self.api.total, self.request.arguments
        where = urljoin(self.api.url, total.url).removeprefix(self.api.root)
        return bool(total.url or total.parameters) and (
            self.request.path == where and set(total.parameters) <= set(asked)
        )

    def _knows_who_asks(self) -> bool:
        auth, token = self.api.api.auth, self.api.token
        if isinstance(auth, ClientCredentials):
            return self.request.headers.get("Authorization") == f"Bearer {token}"
        if not isinstance(auth, Token) or not token:
            return True
        if auth.place == "query":
            return self.get_query_argument(auth.name, "") == token
        return self.request.headers.get(auth.name) == f"{auth.scheme} {token}".strip()

    def _say(self, status: int, body: Any) -> None:
        self.set_status(status)
        is_text = isinstance(body, str)
        self.set_header("Content-Type", "text/plain" if is_text else "application/json")
        text = body if is_text else json.dumps(body, ensure_ascii=False)
        self.finish(text.encode(self.api.api.encoding or "utf-8"))


def _written(body: Body, records: list[Any]) -> Any:
    """The body that holds some records: text, or a value for JSON."""
    if isinstance(body, JsonLines):
        return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)
    if isinstance(body, Csv):
        text = io.StringIO()
        names = list(dict.fromkeys(name for record in records for name in record))
        lines = csv.DictWriter(text, names, delimiter=body.delimiter)
        lines.writeheader()
        lines.writerows(records)
        return text.getvalue()
    if not isinstance(body, Json):
        return records
    if body.key:
        return _nested(body.path, {str(record[body.key]): record for record in records})
    outer, _, inner = body.path.partition(EACH)
    return _nested(outer, [_nested(inner.lstrip("."), record) for record in records])


def _nested(path: str, value: Any) -> Any:
    """The value that has another one at a path."""
    for name in reversed(path.split(".") if path else []):
        value = [value] if name.isdigit() else {name: value}
    return value


def _merged(one: Any, other: Any) -> Any:
    """Two objects as one."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    shared = {name: _merged(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **shared}


def _say_nothing(handler: RequestHandler) -> None:
    """Log nothing about requests."""
