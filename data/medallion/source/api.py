"""The declaration of an API: where its records stand, its pages, totals, limits and login."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urljoin

from ..lake.records import Item
from ..own_code import OwnCode
from ..settings import FlowSettings
from .auth import BEARER, Auth
from .bodies import Body, Json
from .client import Client
from .completeness import Totals
from .errors import ApiLooped
from .exchange import Meaning, Page, Request, Response
from .pagination import HeaderLink, Paginator


@dataclass(frozen=True)
class Total:
    """Where the API reports its number of records."""

    path: str = ""
    """The field of a body: `meta.count`, `0.count`; "" for the body itself."""
    url: str = ""
    """The address of that body, relative to the list's; "" for the list's first page."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of that request, with the list's filters, if it has any."""
    header: str = ""
    """The header, if it is no field."""

    def read(self, response: Response) -> Totals:
        """The total of a response; ValueError if it has none, or an impossible one."""
        found = response.headers.get(self.header) if self.header else response.field(self.path)
        if isinstance(found, bool) or not isinstance(found, (int, str)):
            raise ValueError(f"no total in {self.header or self.path or 'it'}")
        return Totals(int(found))


@dataclass(kw_only=True, eq=False)
class Api:
    """An API that lists records in pages. For what it cannot say, a flow overrides a method."""

    title: str
    """The API's name, for people."""
    url: str
    """The default address of its list; `<FLOW>_API_URL` overrides it."""
    unit: str = "records"
    """What the API's records are, in the plural."""
    records: str | Body = ""
    """Where the records stand in a body, as `Json.path` says; or another form of body."""
    paging: Paginator = field(default_factory=HeaderLink)
    total: str | Total | None = None
    """Where the total stands, a field of each page or a `Total`; None if the API reports none, and
    must be crawled twice."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The parameters of each request of the list."""
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: Auth = BEARER
    detail: str = ""
    """Set it if the list only names the records. It is the address of one, relative to the list's,
    with fields of the listed record: `{url}`, `items/{id}`."""
    statuses: Mapping[int, Meaning] = field(default_factory=dict)
    """What statuses mean here, if not as `meaning` says."""
    encoding: str = ""
    """The charset of bodies, if no response names it; "" for UTF-8."""
    page_size: int = 100
    """The API's maximum of records per page; `<FLOW>_API_PAGE_SIZE` can set fewer."""
    requests_per_minute: int = 120
    """The default limit, 0 for none; `<FLOW>_API_REQUESTS_PER_MINUTE` overrides it."""
    unique: str = ""
    """A parameter that the server ignores. With a new value in each request, no shared cache has a
    response."""
    facets: Mapping[str, str] = field(default_factory=dict)
    """The facets for which `totals` has counts: the API's name of each, to the table's column."""

    def meaning(self, response: Response) -> Meaning:
        """What a response means by its status and headers."""
        status, headers = response.status, response.headers
        limited = "Retry-After" in headers or headers.get("X-RateLimit-Remaining") == "0"
        if status in self.statuses:
            return self.statuses[status]
        if status == 200:
            return "answer"
        if status in {204, 404}:
            return "end"
        if status in {408, 425, 429} or status >= 500 or (status == 403 and limited):
            return "wait"
        return "refusal"

    def read(self, response: Response) -> list[Item]:
        """The records of a response, as received; after a ValueError, it is requested again."""
        body = Json(self.records) if isinstance(self.records, str) else self.records
        return body.records(response)

    def request(self, settings: FlowSettings) -> Request:
        """The request of the first page."""
        request = Request(settings.api_url, method=self.method)
        return self.paging.first(request, settings.api_page_size).having(**self.parameters)

    def totals(self, client: Client, settings: FlowSettings) -> Totals | None:
        """The totals that the API reports, or None; FatalApiError if they cannot be fetched."""
        if self.total is None:
            return None
        total = Total(self.total) if isinstance(self.total, str) else self.total
        request = self.request(settings)
        if total.url or total.parameters:
            request = Request(urljoin(settings.api_url, total.url), total.parameters)
        return client.send(request, total.read)

    def excuse(self, spellings: Mapping[str, int], reported: int) -> str:
        """Why a facet's count may differ from the records, of which there are some per spelling.

        `reported` is the API's count. "" if there is no excuse: then the crawl is incomplete.
        """
        return ""

    def pages(
        self, client: Client, settings: FlowSettings, total: int | None
    ) -> Iterator[list[Item]]:
        """Yield all records, page by page; FatalApiError if a page could not be fetched.

        `total` is the number of records that the API reports; None if it reports no total.
        """

        def detail(request: Request) -> Item:
            return client.send(request, lambda response: (response.text, response.json))

        for page in self._walk(client, settings, total or 0):
            yield list(client.in_order(detail, page.details)) or page.records

    def _walk(self, client: Client, settings: FlowSettings, total: int) -> Iterator[Page]:
        """Yield the pages; those whose requests are known are requested ahead."""
        size, request = settings.api_page_size, self.request(settings)
        page = client.send(request, partial(self._page, request, 1))
        yield page
        count = full = len(page.records)
        if total and total <= count < size:
            return
        # A server may give fewer records than asked, so that later pages begin elsewhere.
        known = self.paging.ahead(request, size, total) if total and count == size else ()
        for page in client.in_order(partial(self._further, client, full), known):
            yield page
            count += len(page.records)
            if not page.records:
                return
        asked = {repr(request)}
        while (following := page.following) and (not total or count <= 2 * (total + size)):
            before, page = page, self._further(client, full if total else 1, following)
            if repr(following) in asked or (page.records and page.records == before.records):
                raise ApiLooped(settings.api_url, f"{following} gives a page that was there before")
            asked.add(repr(following))
            yield page
            count += len(page.records)

    def _further(self, client: Client, full: int, request: Request) -> Page:
        return client.send(request, partial(self._page, request, full), after_last=Page([]))

    def _page(self, request: Request, full: int, response: Response) -> Page:
        with OwnCode(self.read, f"the records of {request}", (ValueError,)) as own:
            records = own.expect(self.read(response), list, "a list of records")
            if not all(isinstance(one, tuple) and isinstance(one[0], str) for one in records):
                own.refuse("returned what is no record: a JSON text, and its value")
        with OwnCode(self.paging.after, f"what follows {request}", (ValueError,)) as own:
            following = self.paging.after(request, response, len(records), full)
            own.expect(following, (Request, type(None)), "a Request or None")
        try:
            addresses = [self.detail.format_map(one) for _, one in records if self.detail]
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"a record that does not say {self.detail!r}: {error!r}") from None
        details = [Request(urljoin(response.url, address)) for address in addresses]
        return Page(records, following, details)
