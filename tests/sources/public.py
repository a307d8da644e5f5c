"""Six public APIs, as they answered in November 2026, with data of their own."""

import base64
import json
import random
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any
from urllib.parse import urlencode

from data.medallion.source.api import Api, Total
from data.medallion.source.auth import Token
from data.medallion.source.pagination import Cursor, JsonLink, Offset
from data.medallion.table import Column, Table
from tests.answers import Answer, Request
from tests.sources.shape import TOKEN, Shape, said

DAY = datetime(2024, 1, 1, tzinfo=timezone.utc)


def compact(value: Any) -> str:
    """The text of a column of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# GBIF: offset and limit, a count, records under `results`

DATES = "2024", "2024-05", "2024-05-17", "2024-05-17T10:11:12", "2024-05-01/2024-05-09"
OCCURRENCES = [
    {
        "key": 4_000_000_000 + 7 * n, "taxonKey": 2435099, "scientificName": f"Puma concolor {n}",
        "eventDate": DATES[n % 5], "country": ("Brazil", "Peru", "Chile")[n % 3],
        **({"decimalLatitude": round(-33 + n / 100, 2)} if n % 9 else {}),
        "individualCount": n % 4 or None, "issues": ["COORDINATE_ROUNDED"],
    }
    for n in range(700)
]  # fmt: skip
OTHERS = [{"key": n, "taxonKey": 5, "country": "Peru"} for n in range(50)]
DEEPEST = 100_000


def gbif(request: Request) -> Answer:
    asked = request.query
    offset, limit = int(asked.get("offset", 0)), min(int(asked.get("limit", 20)), 300)
    if offset + limit > DEEPEST:
        return Answer(f"Max offset of {DEEPEST + 1} exceeded: {offset} + {limit}", 400)
    found = [o for o in OTHERS + OCCURRENCES if asked.get("taxonKey") in {None, str(o["taxonKey"])}]
    page = {"offset": offset, "limit": limit, "endOfRecords": offset + limit >= len(found)}
    return said({**page, "count": len(found), "results": found[offset : offset + limit]})


GBIF = Shape(
    name="gbif", answer=gbif, records=OCCURRENCES, summed="individualCount",
    api=Api(
        title="GBIF occurrences", url="https://api.gbif.org/v1/occurrence/search",
        records="results", total="count", paging=Offset(), page_size=300,
        parameters={"taxonKey": 2435099},
    ),
    table=Table((
        Column("key", "int64"), Column("scientificName"), Column("eventDate"),
        Column("decimalLatitude", "float64", bounds=(-90, 90)), Column("country"),
        Column("individualCount", "int64"),
    ), partitions=("country",), key="key"),
)  # fmt: skip

# OpenAlex: a cursor in the body, ids that are addresses, arrays of objects

WORKS = [
    {
        "id": f"https://openalex.org/W{2_741_809_807 + n}",
        "title": f"On “{n}” &c.", "publication_date": f"20{10 + n % 14}-0{1 + n % 9}-11",
        "cited_by_count": n * n % 97 if n % 5 else None, "open_access": {"is_oa": n % 3 == 0},
        "type": "article" if n % 4 else "book",
        "primary_location": {"source": {"display_name": "Nature"}} if n % 2 else None,
        "authorships": [{"author": {"display_name": f"A. Ñ{i}"}} for i in range(n % 3)],
    }
    for n in range(430)
]  # fmt: skip


def openalex(request: Request) -> Answer:
    size = int(request.query.get("per-page", 25))
    if size > 200 or "cursor" not in request.query:
        return said({"error": "Invalid query parameters error."}, 400 if size > 200 else 403)
    at = int(base64.b64decode(request.query["cursor"].replace("*", "MA==")))
    found = WORKS[at : at + size]
    cursor = base64.b64encode(str(at + size).encode()).decode() if found else None
    meta = {"count": len(WORKS), "per_page": size, "next_cursor": cursor}
    return said({"meta": meta, "results": found, "group_by": []})


OPENALEX = Shape(
    name="openalex", answer=openalex, records=WORKS, summed="cited_by_count",
    api=Api(
        title="OpenAlex works", url="https://api.openalex.org/works",
        records="results", total="meta.count", page_size=200,
        paging=Cursor("meta.next_cursor", size="per-page", start="*"),
    ),
    table=Table((
        Column("id"), Column("title"), Column("cited_by_count", "int64"), Column("type"),
        Column("published", "timestamp", sources=("publication_date",)),
        Column("is_open", "bool", sources=("open_access.is_oa",)),
        Column("journal", sources=("primary_location.source.display_name",)),
        Column("authorships", "json"),
    ), partitions=("type",)),
    row=lambda work: {
        "published": datetime.fromisoformat(work["publication_date"] + "T00:00:00+00:00"),
        "is_open": work["open_access"]["is_oa"],
        "journal": work["primary_location"] and "Nature",
        "authorships": compact(work["authorships"]),
    },
)  # fmt: skip

# USGS: GeoJSON, an offset from 1, the total elsewhere, 204 after the end, 400 over 20,000

QUAKES = [
    {
        "type": "Feature",
        "properties": {
            "mag": round(n % 70 / 10, 1) if n % 11 else None, "place": f"{n} km S of Nowhere",
            "time": 1_700_000_000_123 + 60_001 * n, "tsunami": int(n % 50 == 0),
            "magType": ("ml", "md")[n % 2],
        },
        "geometry": {"type": "Point", "coordinates": [-120 - n / 1000, 35.5, n % 20 or None]},
        "id": f"nc{7_000_000 + n}",
    }
    for n in range(1000)
]  # fmt: skip


def usgs(request: Request) -> Answer:
    known = {"format", "orderby", "offset", "limit"}
    limit, offset = int(request.query.get("limit", 20_000)), int(request.query.get("offset", 1))
    if not set(request.query) <= known or limit > 20_000 or offset < 1:
        return Answer("Error 400: Bad Request\n\nBad limit value. Valid values are <= 20000", 400)
    if request.path.endswith("/count"):
        return said({"count": len(QUAKES), "maxAllowed": 20_000})
    found = QUAKES[offset - 1 : offset - 1 + limit]
    collection = {"type": "FeatureCollection", "metadata": {"api": "1.14.1"}, "features": found}
    return said({**collection, "bbox": [-180, -90, 180, 90]}) if found else Answer("", 204)


def quake(record: Any) -> Mapping[str, Any]:
    more, (east, north, depth) = record["properties"], record["geometry"]["coordinates"]
    at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=more["time"])
    found = {"mag": more["mag"], "at": at, "tsunami": more["tsunami"] == 1, "kind": more["magType"]}
    return {**found, "longitude": east, "latitude": north, "depth": depth}


USGS = Shape(
    name="usgs", answer=usgs, records=QUAKES, summed="depth", row=quake,
    api=Api(
        title="USGS earthquakes", url="https://earthquake.usgs.gov/fdsnws/event/1/query",
        records="features", paging=Offset(start=1), page_size=20_000,
        total=Total("count", url="count", parameters={"format": "geojson"}),
        parameters={"format": "geojson", "orderby": "time-asc"},
    ),
    settings={"PAGE_SIZE": "250"}, met=frozenset({200, 204}),
    table=Table((
        Column("id"), Column("mag", "float64", sources=("properties.mag",)),
        Column("at", "timestamp", sources=("properties.time",), unit="ms"),
        Column("tsunami", "bool", sources=("properties.tsunami",), false_true=("0", "1")),
        Column("kind", sources=("properties.magType",)),
        Column("longitude", "float64", sources=("geometry.coordinates.0",)),
        Column("latitude", "float64", sources=("geometry.coordinates.1",)),
        Column("depth", "float64", sources=("geometry.coordinates.2",)),
    ), partitions=("kind",)),
)  # fmt: skip


# Socrata: parameters with $, all values are texts, nulls are left out

COMPLAINTS = [
    {
        "unique_key": str(60_000_000 + n),
        "created_date": (DAY + timedelta(minutes=n)).strftime("%Y-%m-%dT%H:%M:%S.000"),
        "borough": ("BRONX", "QUEENS", "BROOKLYN")[n % 3],
        **({"amount": f"{n * 1.25:,.2f}"} if n % 7 else {}),
        **({"closed": ("true", "false")[n % 2]} if n % 5 else {}),
    }
    for n in range(2300)
]


def socrata(request: Request) -> Answer:
    asked = request.query
    if request.headers.get("X-App-Token") != TOKEN:
        return said({"code": "permission_denied", "message": "Invalid app_token specified"}, 403)
    if "$select" in asked:
        return said([{"count": str(len(COMPLAINTS))}])
    start, limit = int(asked.get("$offset", 0)), int(asked.get("$limit", 1000))
    ordered = asked.get("$order") == ":id"
    rows = COMPLAINTS if ordered else random.sample(COMPLAINTS, len(COMPLAINTS))
    return said(rows[start : start + limit])


def complaint(record: Any) -> Mapping[str, Any]:
    return {
        "created": datetime.fromisoformat(record["created_date"]).replace(tzinfo=timezone.utc),
        "amount": float(record["amount"].replace(",", "")) if "amount" in record else None,
        "closed": record.get("closed") and record["closed"] == "true",
    }


SOCRATA = Shape(
    name="socrata", answer=socrata, records=COMPLAINTS, summed="amount", row=complaint,
    api=Api(
        title="NYC 311", url="https://data.cityofnewyork.us/resource/erm2-nwe9.json",
        total=Total("0.count", parameters={"$select": "count(*)"}), auth=Token("X-App-Token"),
        paging=Offset("$offset", size="$limit"), parameters={"$order": ":id"}, page_size=1000,
    ),
    table=Table((
        Column("unique_key"), Column("created", "timestamp", sources=("created_date",)),
        Column("borough"), Column("amount", "float64", decimal="."), Column("closed", "bool"),
    ), partitions=("borough",), key="unique_key"),
)  # fmt: skip


# GitHub: a `Link` header, no total, a 403 that asks to wait

ISSUES = [
    {
        "number": n, "title": f"It <breaks> №{n}\n", "state": ("open", "closed")[n % 2],
        "user": {"login": f"dev{n % 13}"} if n % 17 else None, "comments": n % 10,
        "labels": [{"name": f"area: {n % 3}", "color": "ededed"}] * (n % 3),
        "closed_at": (DAY + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M:%SZ") if n % 2 else None,
    }
    for n in range(450, 0, -1)
]  # fmt: skip
ISSUES_ASKED = count(1)


def github(request: Request) -> Answer:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return said({"message": "Bad credentials"}, 401)
    number = next(ISSUES_ASKED)
    if number == 2:
        left = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1)}
        return said({"message": "API rate limit exceeded"}, 403, **left)
    if number == 4:
        more = {"retry-after": "0", "x-ratelimit-remaining": "4000"}
        return said({"message": "You have exceeded a secondary rate limit"}, 403, **more)
    page, size = int(request.query.get("page", 1)), min(int(request.query["per_page"]), 100)
    last = -(-len(ISSUES) // size)
    numbers = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    at = f"http://{request.headers['Host']}{request.path}?"
    pages = {name: urlencode({**request.query, "page": n}) for name, n in numbers.items()
             if 1 <= n <= last}  # fmt: skip
    links = ", ".join(f'<{at}{query}>; rel="{name}"' for name, query in pages.items())
    return said(ISSUES[(page - 1) * size : page * size], link=links)


GITHUB = Shape(
    name="github", answer=github, records=ISSUES, summed="comments", met=frozenset({200, 403}),
    api=Api(
        title="Issues of Apache Arrow", url="https://api.github.com/repos/apache/arrow/issues",
        parameters={"state": "all", "sort": "created"},
        headers={"Accept": "application/vnd.github+json"},
    ),
    table=Table((
        Column("number", "int64"), Column("title"), Column("state"), Column("labels", "json"),
        Column("author", sources=("user.login",)), Column("comments", "int64"),
        Column("closed_at", "timestamp"),
    ), partitions=("state",), key="number"),
    row=lambda issue: {
        "title": issue["title"].strip(),
        "author": issue["user"] and issue["user"]["login"],
        "labels": compact(issue["labels"]),
        "closed_at": issue["closed_at"] and DAY + timedelta(hours=issue["number"]),
    },
)  # fmt: skip

# PokeAPI: a list of names and addresses, then a request for each

POKEMON = [
    {
        "id": n, "name": f"pokémon-{n}", "height": n % 30 if n % 8 else None,
        "types": [{"slot": 1, "type": {"name": ("grass", "fire")[n % 2]}}],
    }
    for n in range(1, 101)
]  # fmt: skip


def pokeapi(request: Request) -> Answer:
    at = f"http://{request.headers['Host']}/api/v2/pokemon"
    if name := request.path.removeprefix("/api/v2/pokemon").strip("/"):
        # Line breaks between tokens, as some servers send them.
        return Answer(json.dumps(POKEMON[int(name) - 1], indent=1))
    offset, size = int(request.query.get("offset", 0)), int(request.query.get("limit", 20))
    more = f"{at}?offset={offset + size}&limit={size}" if offset + size < len(POKEMON) else None
    part = POKEMON[offset : offset + size]
    found = [{"name": one["name"], "url": f"{at}/{one['id']}/"} for one in part]
    return said({"count": len(POKEMON), "next": more, "previous": None, "results": found})


POKEAPI = Shape(
    name="pokeapi", answer=pokeapi, records=POKEMON, summed="height",
    api=Api(
        title="PokéAPI", url="https://pokeapi.co/api/v2/pokemon",
        records="results", total="count", paging=JsonLink(size="limit"), detail="{url}",
    ),
    table=Table((
        Column("id", "int64"), Column("name"), Column("height", "int64"),
        Column("type", sources=("types.0.type.name",)),
    ), partitions=("type",)),
    row=lambda one: {"type": one["types"][0]["type"]["name"]},
    text=lambda one: json.dumps(one, indent=1).replace("\n", " "),
)  # fmt: skip

PUBLIC = [GBIF, OPENALEX, USGS, SOCRATA, GITHUB, POKEAPI]
