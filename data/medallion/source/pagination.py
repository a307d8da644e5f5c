"""The usual kinds of pagination. Each detects pages that lead in a circle."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urljoin

from ..lake.records import Item
from .client import Client, Response
from .errors import ApiLooped

Position = TypeVar("Position")
Page = list[Item]

PARAMETER = re.compile(r'\s*;\s*([^\s;,="]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
LINK = re.compile(f"<([^<>]*)>((?:{PARAMETER.pattern})*)")
"""A link of a `Link` header. The parser of `requests` cuts an address at its first ; or ,."""


def numbered(
    client: Client, page: Callable[[int], Page], size: int, total: int = 0, first: int = 1
) -> Iterator[Page]:
    """Yield pages by number: those that the total fills, and one more; a few are requested ahead.

    The list may be longer than the total. So more pages are requested while the last one is full.
    There is a limit, because a server may ignore the number. Without a total, pages are requested
    until one is empty, because a server may return smaller pages than requested.

    `page` fetches a page of `size` records by its number, from `first` on. `total` is the expected
    number of records; 0 if it is unknown.

    Raises:
        ApiLooped: a page is the same as the one before.
    """
    known = total // size + 1  # the last of them is not full
    for last in client.in_order(page, range(first, first + known)):
        yield last
    further = first + known
    while (len(last) >= size and further < first + 2 * known) if total else last:
        before, last = last, page(further)
        if last == before:
            raise ApiLooped(client.url, f"page {further} is page {further - 1} again")
        yield last
        further += 1


def offset(
    client: Client, page: Callable[[int], Page], size: int, total: int = 0
) -> Iterator[Page]:
    """Yield pages by the offset of their first record; otherwise as `numbered`."""
    if total:
        return numbered(client, lambda number: page(number * size), size, total, first=0)

    def next_of(start: int) -> tuple[Page, int | None]:
        records = page(start)
        return records, start + len(records) if records else None

    return followed(client, next_of, 0)


def followed(
    client: Client, page: Callable[[Position], tuple[Page, Position | None]], first: Position
) -> Iterator[Page]:
    """Yield pages that each give the next position: a cursor, a token or the last record's id.

    `page` fetches the page of a position; it returns it and the next position, None at the end.

    Raises:
        ApiLooped: a page leads back to an earlier one.
    """
    position: Position | None = first
    seen: set[Position] = set()
    while position is not None:
        if position in seen:
            raise ApiLooped(client.url, f"{position!r} is where it leads to a second time")
        seen.add(position)
        records, position = page(position)
        yield records


def linked(
    client: Client, url: str, parameters: dict[str, object], read: Callable[[Response], Page]
) -> Iterator[Page]:
    """Yield pages that link to the next one in a header: `Link: <address>; rel="next"` (RFC 8288).

    The address and the parameters are those of the first page; a link contains its own. `read`
    parses the records of a response.

    Raises:
        ApiLooped: a link leads back to an earlier page.
        ApiLeadsAway: a link leads to another host, which must not get the token.
    """

    def page(address: str) -> tuple[Page, str | None]:
        asked = parameters if address == url else {}

        def both(response: Response) -> tuple[Page, str | None]:
            return read(response), next_link(response)

        return client.get(address, asked, both)

    return followed(client, page, url)


def next_link(response: Response) -> str | None:
    """The address of the next page, from the `Link` header of a response; None on the last page."""
    for link in LINK.finditer(response.headers.get("Link", "")):
        parameters = PARAMETER.findall(link[2])
        kinds = [quoted or word for name, quoted, word in parameters if name.lower() == "rel"]
        if kinds and "next" in kinds[0].lower().split():
            return urljoin(response.url, str(link[1]))
    return None
