"""The same few records in each other form of a body, of paging, of a login and of a key."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from data.medallion.source.api import Api
from data.medallion.source.auth import ClientCredentials, Token
from data.medallion.source.bodies import Csv, Json, JsonLines
from data.medallion.source.pagination import Offset, PageNumber, SinglePage
from data.medallion.table import Column, Table, record_hash
from tests.answers import Answer, Request
from tests.sources.shape import TOKEN, Shape, said

DAY = datetime(2024, 1, 1, tzinfo=timezone.utc)
STATIONS = [
    {
        "id": f"st-{n:03}",
        "city": ("São Paulo", "Łódź\n2", "Rio")[n % 3],
        "kind": ("land", "sea")[n % 2],
        "height": round(n * 12.5 - 100, 1) if n % 6 else None,
    }
    for n in range(230)
]
COLUMNS = Column("id"), Column("city"), Column("kind"), Column("height", "float64")


def tidy(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"city": record["city"].replace("\n", " ")}


def plain(**declared: Any) -> Shape:
    usual = {
        "table": Table(COLUMNS, partitions=("kind",)),
        "summed": "height",
        "records": STATIONS,
        "row": tidy,
    }
    return Shape(**{**usual, **declared})


# The commonest: {"results": [...], "count": n} by page numbers, 404 after the last page


def paged(records: Sequence[Any], indent: int | None = None) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        page, size = int(request.query.get("page", 1)), min(int(request.query["page_size"]), 100)
        found = records[(page - 1) * size : page * size]
        if not found and page > 1:
            return said({"detail": "Invalid page."}, 404)
        return Answer(json.dumps({"count": len(records), "results": found}, indent=indent))

    return answer


PAGED = Api(
    title="Stations",
    unit="stations",
    url="https://api.example.org/v1/stations/",
    records="results",
    total="count",
    paging=PageNumber(size="page_size"),
)
COMMONEST = plain(name="paged", api=PAGED, answer=paged(STATIONS))

# Other bodies: an object keyed by id, an object a line, CSV in several charsets, and packed

KEYED_API = Api(
    title="Stations",
    unit="stations",
    url="https://example.org/stations.json",
    records=Json("stations", key="id"),
    paging=SinglePage(),
)


def keyed(request: Request) -> Answer:
    inner = {r["id"]: {name: r[name] for name in r if name != "id"} for r in STATIONS}
    return said({"updated": "2024-01-01", "stations": inner})


LINES_API = Api(
    title="Stations",
    unit="stations",
    url="https://example.org/stations.ndjson",
    records=JsonLines(),
    paging=SinglePage(),
)


def lines(request: Request) -> Answer:
    body = "".join(f"{json.dumps(record)}\r\n" for record in STATIONS)
    return Answer(body, headers={"Content-Type": "application/x-ndjson"})


CSV_API = Api(
    title="Stations",
    unit="stations",
    url="https://example.org/stations.csv",
    records=Csv(),
    paging=SinglePage(),
)
GZIP_API = Api(
    title="Stations",
    unit="stations",
    url="https://example.org/stations.csv.gz",
    records=Csv(";"),
    paging=SinglePage(),
)
LATIN_API = Api(
    title="Stations",
    unit="stations",
    url="https://example.org/stations.csv",
    records=Csv(";"),
    paging=SinglePage(),
    encoding="iso-8859-1",
)
CELLS = [
    {**r, "city": r["city"].replace("Łódź", "Évora"), "height": f"{r['height'] or ''}"}
    for r in STATIONS
]


def cells(encoding: str, delimiter: str, pack: Callable[[bytes], bytes], kind: str) -> Answer:
    text = io.StringIO()
    written = csv.DictWriter(text, list(CELLS[0]), delimiter=delimiter)
    written.writeheader()
    written.writerows(CELLS)
    return Answer(pack(text.getvalue().encode(encoding)), headers={"Content-Type": kind})


def of_cells(name: str, api: Api, *how: Any) -> Shape:
    def row(record: Any) -> Mapping[str, Any]:
        return {**tidy(record), "height": float(record["height"]) if record["height"] else None}

    return plain(
        name=name,
        api=api,
        answer=lambda request: cells(*how),
        records=CELLS,
        row=row,
        text=lambda record: json.dumps(record, ensure_ascii=False),
    )


BODIES = [
    plain(
        name="keyed",
        api=KEYED_API,
        answer=keyed,
        text=lambda record: json.dumps(record).replace('"id": ', '"id":').replace(", ", ",", 1),
    ),
    plain(name="ndjson", api=LINES_API, answer=lines),
    of_cells("csv", CSV_API, "utf-8-sig", ",", bytes, "text/csv"),
    of_cells("csv_gzip", GZIP_API, "utf-8", ";", gzip.compress, "application/gzip"),
    of_cells("csv_latin", LATIN_API, "iso-8859-1", ";", bytes, "text/csv"),
]

# Logins: a key in the query, tokens that live for a few requests


def with_key(request: Request) -> Answer:
    if request.query.get("api_key") != TOKEN:
        return said({"error": {"code": "API_KEY_MISSING"}}, 403)
    return paged(STATIONS)(request)


class Tokens:
    """OAuth 2.0 for a program; a token lives for some requests, and says that it lives longer."""

    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.given = self.used = 0

    def __call__(self, request: Request) -> Answer:
        login = request.headers.get("Authorization")
        if request.path == "/oauth/token":
            self.given, self.used = self.given + 1, 0
            token = {"access_token": f"t{self.given}", "token_type": "Bearer", "expires_in": 60}
            known = (
                login == "Basic cHJvZ3JhbTpzZWNyZXQ=" and b"client_credentials" in request.content
            )
            return said(token) if known else said({"error": "invalid_client"}, 401)
        self.used += 1
        if login != f"Bearer t{self.given}" or self.used > self.lives:
            return said({"error": "invalid_token"}, 401)
        return paged(STATIONS)(request)


KEY_API = Api(
    title="Stations",
    unit="stations",
    url="https://api.example.org/v1/stations/",
    records="results",
    total="count",
    paging=PageNumber(size="page_size"),
    auth=Token("api_key", place="query"),
)
OAUTH_API = Api(
    title="Stations",
    unit="stations",
    url="https://api.example.org/v1/stations/",
    records="results",
    total="count",
    paging=PageNumber(size="page_size"),
    auth=ClientCredentials("https://api.example.org/oauth/token"),
)
PROGRAM = {
    "TOKEN_URL": "{root}/oauth/token",
    "CLIENT_ID": "program",
    "CLIENT_SECRET": "secret",
    "PAGE_SIZE": "20",
    "CONNECTIONS": "1",  # more of them could use up a token before one tries again
}
LOGINS = [
    plain(name="key_in_query", api=KEY_API, answer=with_key),
    plain(name="oauth", api=OAUTH_API, answer=Tokens(lives=5), settings=PROGRAM),
]

# Elasticsearch: a search is posted, and the records stand in hits


def search(request: Request) -> Answer:
    asked = json.loads(request.content or b"{}")
    start, size = asked.get("from", 0), asked.get("size", 10)
    if start + size > 10_000 or "sort" not in asked:
        return said({"error": {"reason": "Result window is too large"}}, 400)
    source = [record for record in STATIONS if record["kind"] == asked["query"]["term"]["kind"]]
    hits = [{"_id": r["id"], "_score": None, "_source": r} for r in source[start : start + size]]
    total = {"value": len(source), "relation": "eq"}
    return said({"took": 3, "hits": {"total": total, "max_score": None, "hits": hits}})


SEARCH_API = Api(
    title="Stations",
    unit="stations",
    url="https://search.example.org/stations/_search",
    records="hits.hits[*]._source",
    total="hits.total.value",
    paging=Offset("from", size="size"),
    method="POST",
    parameters={"query": {"term": {"kind": "sea"}}, "sort": [{"id": "asc"}]},
)
AT_SEA = [record for record in STATIONS if record["kind"] == "sea"]

# Keys: two fields, none, and versions of a record

READINGS = [
    {
        "station": f"st-{n % 20}",
        "hour": n // 20,
        "kind": "ab"[n % 2],
        "value": n / 4 if n % 9 else None,
    }
    for n in range(400)
]
VERSIONS = [
    {
        "id": n,
        "updated_at": f"{DAY + timedelta(hours=(n * 7 + version * 5) % 11):%Y-%m-%dT%H:%M:%SZ}",
        "kind": "ab"[n % 2],
        "value": n + version if n % 9 else None,
    }
    for version in range(3)
    for n in range(100)
]
VERSIONS_API = Api(
    title="Versions",
    unit="versions",
    url="https://api.example.org/v1/versions/",
    records="results",
    paging=PageNumber(size="page_size"),
)


def latest(records: Sequence[Any]) -> Sequence[Any]:
    """The newest version of each record."""
    return [
        max((r for r in records if r["id"] == n), key=lambda r: r["updated_at"]) for n in range(100)
    ]


def digest(record: Any) -> Mapping[str, Any]:
    import hashlib

    return {"id": hashlib.sha256(pretty(record).encode()).hexdigest()}


def pretty(record: Any) -> str:
    """A record of a page with two spaces at each level, in one line."""
    return json.dumps({"": [record]}, indent=2)[13:-6].replace("\n", " ")


VALUES = Column("kind"), Column("value", "float64")
KEYS = [
    plain(
        name="elastic",
        api=SEARCH_API,
        answer=search,
        records=AT_SEA,
        table=Table(COLUMNS, partitions=("city",)),
    ),
    Shape(
        name="two_fields",
        api=PAGED,
        answer=paged(READINGS),
        records=READINGS,
        table=Table(
            (Column("station"), Column("hour", "int64"), *VALUES),
            partitions=("kind",),
            key=("station", "hour"),
        ),
        summed="value",
        row=lambda record: {},
    ),
    Shape(
        name="no_id",
        api=PAGED,
        answer=paged(READINGS, indent=2),
        records=READINGS,
        table=Table(
            (Column("id", derive=record_hash), Column("station"), Column("hour", "int64"), *VALUES),
            partitions=("kind",),
        ),
        summed="value",
        row=digest,
        text=pretty,
    ),
    Shape(
        name="versions",
        api=VERSIONS_API,
        answer=paged(VERSIONS),
        records=VERSIONS,
        kept=latest,
        table=Table(
            (Column("id", "int64"), Column("updated_at", "timestamp"), *VALUES),
            partitions=("kind",),
            newest="updated_at",
        ),
        summed="value",
        row=lambda record: {
            "updated_at": datetime.fromisoformat(record["updated_at"][:-1] + "+00:00")
        },
    ),
]
PLAIN = [COMMONEST, *BODIES, *LOGINS, *KEYS]
