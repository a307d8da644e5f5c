"""A few records in each other form of a body, of a request and of a login."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from data.medallion.source.api import Api
from data.medallion.source.auth import ClientCredentials, Token
from data.medallion.source.bodies import Csv, Json, JsonLines
from data.medallion.source.pagination import Offset, PageNumber, SinglePage
from data.medallion.table import Column, Table
from tests.answers import Answer, Request
from tests.sources.shape import Shape, said

STATIONS = [
    {
        "id": f"st-{n:03}", "city": ("São Paulo", "Évora\n2", "Rio")[n % 3],
        "kind": ("land", "sea")[n % 2], "height": round(n * 12.5 - 100, 1) if n % 5 else None,
    }
    for n in range(300)
]  # fmt: skip
COLUMNS = Column("id"), Column("city"), Column("kind"), Column("height", "float64")


def station(record: Mapping[str, Any]) -> Mapping[str, Any]:
    height = record["height"]
    more = {"height": float(height) if height else None} if isinstance(height, str) else {}
    return {"city": record["city"].replace("\n", " "), **more}


def plain(name: str, api: Api, answer: Callable[[Request], Answer], **more: Any) -> Shape:
    table = Table(COLUMNS, partitions=("kind",))
    usual = {"table": table, "summed": "height", "records": STATIONS, "row": station}
    return Shape(**{"name": name, "api": api, "answer": answer, **usual, **more})


# The commonest: {"results": [...], "count": n} by page numbers, 404 after the last page


def paged(records: Sequence[Any], cap: int = 100, told: Any = None) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        page, size = int(request.query.get("page", 1)), min(int(request.query["page_size"]), cap)
        found = records[(page - 1) * size : page * size]
        if not found and page > 1:
            return said({"detail": "Invalid page."}, 404)
        count = len(records) if told is None else told
        return said({"count": count, "results": found})

    return answer


PAGED = Api(
    title="Stations", url="https://api.example.org/v1/stations/",
    records="results", total="count", paging=PageNumber(size="page_size"),
)  # fmt: skip

# Other bodies: an object keyed by id, an object a line, CSV in another charset, and packed

FILE = replace(PAGED, url="https://example.org/stations.csv", total=None, paging=SinglePage())
CELLS = [{**record, "height": f"{record['height'] or ''}"} for record in STATIONS]


def keyed(request: Request) -> Answer:
    inner = {r["id"]: {name: r[name] for name in r if name != "id"} for r in STATIONS}
    return said({"updated": "2024-01-01", "stations": inner})


def lines(request: Request) -> Answer:
    body = "".join(f"{json.dumps(record)}\r\n" for record in STATIONS)
    return Answer(body, headers={"Content-Type": "application/x-ndjson"})


def cells(request: Request) -> Answer:
    text = io.StringIO()
    written = csv.DictWriter(text, list(CELLS[0]), delimiter=";")
    written.writeheader()
    written.writerows(CELLS)
    packed = gzip.compress(text.getvalue().encode("latin-1"))
    return Answer(packed, headers={"Content-Type": "text/csv"})


# A login by tokens that live for a few requests, and say that they live longer


class Tokens:
    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.given = self.used = 0

    def __call__(self, request: Request) -> Answer:
        login = request.headers.get("Authorization")
        if request.path == "/oauth/token":
            self.given, self.used = self.given + 1, 0
            token = {"access_token": f"t{self.given}", "token_type": "Bearer", "expires_in": 60}
            known = login == "Basic cHJvZ3JhbTpzZWNyZXQ="
            asked = b"grant_type=client_credentials" in request.content
            return said(token) if known and asked else said({"error": "invalid_client"}, 401)
        self.used += 1
        if login != f"Bearer t{self.given}" or self.used > self.lives:
            return said({"error": "invalid_token"}, 401)
        return paged(STATIONS)(request)


PROGRAM = {
    "TOKEN_URL": "ROOT/oauth/token", "CLIENT_ID": "program", "CLIENT_SECRET": "secret",
    # Several connections could use up a token before one of them tries again.
    "PAGE_SIZE": "20", "CONNECTIONS": "1",
}  # fmt: skip

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


SEARCH = Api(
    title="Stations", url="https://search.example.org/stations/_search", method="POST",
    records="hits.hits[*]._source", total="hits.total.value", paging=Offset("from", size="size"),
    parameters={"query": {"term": {"kind": "sea"}}, "sort": [{"id": "asc"}]},
)  # fmt: skip
AT_SEA = [record for record in STATIONS if record["kind"] == "sea"]

ENDED = frozenset({200, 404})
PLAIN = [
    plain(
        "paged", replace(PAGED, auth=Token("api_key", place="query")), paged(STATIONS), met=ENDED
    ),
    plain(
        "keyed", replace(FILE, records=Json("stations", key="id")), keyed,
        text=lambda record: json.dumps(record).replace('"id": ', '"id":').replace(", ", ",", 1),
    ),
    plain("ndjson", replace(FILE, records=JsonLines()), lines),
    plain(
        "csv", replace(FILE, records=Csv(";"), encoding="latin-1"), cells, records=CELLS,
        text=partial(json.dumps, ensure_ascii=False),
    ),
    plain(
        "oauth", replace(PAGED, auth=ClientCredentials("https://api.example.org/oauth/token")),
        Tokens(lives=5), settings=PROGRAM, met=ENDED | {401},
    ),
    plain("elastic", SEARCH, search, records=AT_SEA, table=Table(COLUMNS, partitions=("city",))),
]  # fmt: skip
