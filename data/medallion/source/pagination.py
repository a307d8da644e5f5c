"""The usual kinds of pagination. Each notices an API that leads round in a circle."""

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
"""A link of a `Link` header; the parser of `requests` ends an address at its first ; or ,."""


def numbered(
    client: Client, page: Callable[[int], Page], size: int, total: int = 0, first: int = 1
) -> Iterator[Page]:
    """Pages by their number, a few asked for ahead: those that a total fills, and one more.

    The list may be longer than the total. So more pages are asked for while the last one is full,
    up to a limit, because a server may ignore the number. Without a total, pages are asked for
    until one is empty, because a server may return fewer records a page than it was asked for.

    Args:
        client: asks.
        page: asks for the page of a number.
        size: records a page.
        total: how many records there should be; 0 where that is not known.
        first: the number of the first page.
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
    """Pages by the offset of their first record; otherwise as `numbered`."""
    if total:
        return numbered(client, lambda number: page(number * size), size, total, first=0)

    def next_of(start: int) -> tuple[Page, int | None]:
        records = page(start)
        return records, start + len(records) if records else None

    return followed(client, next_of, 0)


def followed(
    client: Client, page: Callable[[Position], tuple[Page, Position | None]], first: Position
) -> Iterator[Page]:
    """Pages that each say where the next one is: a cursor, a token, the id of the last record.

    Args:
        client: asks.
        page: asks for the page of a position; gives it and the next position, None after the last.
        first: the position of the first page.

    Raises:
        ApiLooped: a page leads to one that was asked for before.
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
    """Pages that name the next one in a header, `Link: <address>; rel="next"` (RFC 8288).

    Args:
        client: asks.
        url: of the first page.
        parameters: of the first page; a link has those of its own.
        read: makes the records of a response.

    Raises:
        ApiLooped: a link leads to a page that was asked for before.
        ApiLeadsAway: a link leads to another host, which must not have the token.
    """

    def page(address: str) -> tuple[Page, str | None]:
        asked = parameters if address == url else {}

        def both(response: Response) -> tuple[Page, str | None]:
            return read(response), next_link(response)

        return client.get(address, asked, both)

    return followed(client, page, url)


def next_link(response: Response) -> str | None:
    """The address of the next page, from the `Link` header of a response; None after the last."""
    for link in LINK.finditer(response.headers.get("Link", "")):
        parameters = PARAMETER.findall(link[2])
        kinds = [quoted or word for name, quoted, word in parameters if name.lower() == "rel"]
        if kinds and "next" in kinds[0].lower().split():
            return urljoin(response.url, str(link[1]))
    return None
