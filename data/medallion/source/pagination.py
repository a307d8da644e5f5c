"""The usual kinds of pagination, by the names of dlt's `rest_api` source.

A paginator gives the next request. It sends nothing.
"""

# ruff: noqa: D102 - as Paginator says

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

from .exchange import Request, Response

PARAMETER = re.compile(r'\s*;\s*([^\s;,="]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
LINK = re.compile(f"<([^<>]*)>((?:{PARAMETER.pattern})*)")
"""A link of a `Link` header. The parser of `requests` cuts an address at its first ; or ,."""

Next = Request | None
"""The request of the next page; None if there is none."""


class Paginator(ABC):
    """A kind of pagination. The names are those of the API's parameters."""

    size: str = ""
    """The parameter for the number of records per page; "" if the API has none."""

    def first(self, request: Request, size: int) -> Request:
        """The request of the first page."""
        return request.having(**{self.size: size}) if self.size else request

    def ahead(self, first: Request, size: int, total: int) -> Iterable[Request]:
        """The requests after the first one that can be sent at once, if the total is known."""
        return ()

    @abstractmethod
    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        """The request of the page after this one; ValueError if the response cannot be read.

        `records` is the number of this page's records. A page with fewer than `full` is the last.
        """


@dataclass(frozen=True)
class SinglePage(Paginator):
    """All records are in one response."""

    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        return None


@dataclass(frozen=True)
class Offset(Paginator):
    """A page begins at a record, by the number of records before it.

    The page after the last one is empty, or it is not there.
    """

    position: str = "offset"
    size: str = "limit"
    start: int = 0
    """The position of the first page."""

    def first(self, request: Request, size: int) -> Request:
        return super().first(request.having(**{self.position: self.start}), size)

    def ahead(self, first: Request, size: int, total: int) -> Iterable[Request]:
        further = (self.start + number * self._step(size) for number in range(1, total // size + 1))
        return (first.having(**{self.position: position}) for position in further)

    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        position = request.parameters[self.position] + self._step(records)
        return request.having(**{self.position: position}) if records >= full else None

    def _step(self, records: int) -> int:
        """How far the next page is from a page of so many records."""
        return records


@dataclass(frozen=True)
class PageNumber(Offset):
    """Pages have numbers."""

    position: str = "page"
    size: str = "per_page"
    start: int = 1

    def _step(self, records: int) -> int:
        return 1


@dataclass(frozen=True)
class Cursor(Paginator):
    """Each body has the cursor of the next page; the last one has none."""

    path: str
    """Where it stands: `meta.next_cursor`."""
    cursor: str = "cursor"
    size: str = ""
    start: str = ""
    """The cursor of the first page, if the API needs one."""

    def first(self, request: Request, size: int) -> Request:
        begun = request.having(**{self.cursor: self.start}) if self.start else request
        return super().first(begun, size)

    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        cursor = response.field(self.path)
        return request.having(**{self.cursor: cursor}) if cursor else None


@dataclass(frozen=True)
class JsonLink(Paginator):
    """Each body has the address of the next page; the last one has none."""

    path: str = "next"
    size: str = ""

    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        link = response.field(self.path)
        if link and not isinstance(link, str):
            raise ValueError(f"no address in {self.path}")
        return Request(urljoin(response.url, link)) if link else None


@dataclass(frozen=True)
class HeaderLink(Paginator):
    """Each response has a header `Link: <address>; rel="next"` (RFC 8288), but for the last one."""

    size: str = "per_page"

    def after(self, request: Request, response: Response, records: int, full: int) -> Next:
        link = next_link(response)
        return Request(link) if link else None


def next_link(response: Response) -> str | None:
    """The address of the next page, from the `Link` header of a response; None on the last page."""
    for link in LINK.finditer(response.headers.get("Link", "")):
        parameters = PARAMETER.findall(link[2])
        kinds = [quoted or word for name, quoted, word in parameters if name.lower() == "rel"]
        if kinds and "next" in kinds[0].lower().split():
            return urljoin(response.url, str(link[1]))
    return None
