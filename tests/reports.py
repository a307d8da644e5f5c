"""What a lake may tell of a small dataset, made by hand, for tests of its page."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any

from data.medallion.flow import Chart
from data.medallion.lake.manifest import (
    Changes,
    Check,
    Drift,
    Manifest,
    Profile,
    Snapshot,
    Source,
    StoredObject,
)
from data.medallion.report.facts import ChangeReport, ErrorLog, Facts, Rejects
from data.medallion.report.language import Language
from data.medallion.report.page import render
from data.medallion.source.completeness import VALUES_OF
from tests.stations import STATIONS, InMemory

EVIL = '<script>alert("1")</script>&<b>\'\0\x1b'
SNAPSHOT, BEFORE = "20261122T193000Z-4f2a9c", "20261121T193000Z-000000"
SOURCE = Source(key="https://api.example.org/v1", sha256="0")
KEPT = Snapshot(
    snapshot=BEFORE, object=StoredObject(key="", rows=12_000, bytes=5_100_000, sha256=""),
    version=1, published_at=datetime(2026, 11, 21, 19, 30, tzinfo=timezone.utc),
)  # fmt: skip
API = InMemory([])
API.facets = {"by_kind": "kind", "by_country": "country"}
FLOW = replace(STATIONS, api=API, chart=Chart(lambda counts, caption: None, "kind_heights"))


def manifest(dataset: Any, **more: Any) -> Manifest:
    told = {
        "flow": FLOW.name, "layer": dataset.layer, "dataset": dataset.name, "run": SNAPSHOT,
        "snapshot": SNAPSHOT, "created_at": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "source": SOURCE, "objects": (), "rows_in": 12_345, "rows_out": 12_345,
        "rows_rejected": 0, "rows_duplicate": 0, "checks": (), "seconds": 1.0, "code_version": "1",
        "version": 2, "oldest": 1, "published_at": datetime(2026, 11, 22, tzinfo=timezone.utc),
        "libraries": {},
    }  # fmt: skip
    return Manifest(**{**told, **more})


def facts(**more: Any) -> Facts:
    """Those of a whole lake, whose texts are out to do harm."""
    checks = (
        Check(name="distinct records = the API's total", expected=12_345, found=12_345),
        Check(name=VALUES_OF.format("by_kind"), expected=3, found=3),
        Check(name=f"the API's by_kind {EVIL!r}", expected=1, found=2, note=EVIL),
    )
    counts, cells = {"kind": {EVIL: 12_342}}, {"-240 80": 200, "20 100": 1}
    entry = {"key": str(FLOW.bronze.object), "rows": 12_345, "bytes": 5_171_900, "sha256": "0"}
    silver = manifest(
        FLOW.silver,
        objects=({**entry, "key": "data/stations/country=Land/year=1987/0.parquet"},),
        rows_out=12_342,
        rows_rejected=2,
        rows_duplicate=1,
        profile=Profile(rows=12_342, fields={}, values={}, counts=counts, cells=cells),
        drift=(Drift(rule="new_value", subject=EVIL, what=EVIL),),
    )
    bronze = manifest(FLOW.bronze, checks=checks, objects=(entry,))
    others = [manifest(d, rows_in=12_342) for d in FLOW.datasets if d.layer == "gold"]
    row = {"number": 7, "name": EVIL, "kind": EVIL, "country": EVIL, "year": None}
    changed = Changes(added=1, partitions=1)
    error = ErrorLog(block=EVIL, run=BEFORE, exception_type=EVIL, message=EVIL * 100)
    whole = Facts(
        flow=FLOW,
        manifests={f"{m.layer}/{m.dataset}": m for m in (bronze, silver, *others)},
        rejects={EVIL: Rejects(2, [EVIL, "\ud800"])},
        changes=ChangeReport(snapshot=SNAPSHOT, before=BEFORE, counts=changed, added=(row,)),
        kept=(KEPT,),
        errors={"bronze": error},
        chart=b"\x89PNG",
        missing=(),
    )
    return replace(whole, **more)


NOTHING = Facts(FLOW, {}, None, None, (), {}, None, ("There is nothing.",))


def page_of(facts: Facts, language: str = "en", made: datetime | None = None) -> str:
    return render(facts, Language.load(language, facts.flow), made).decode()


class Elements(HTMLParser):
    """The elements of a page; one that is not closed, or closed twice, is refused."""

    EMPTY = frozenset({"meta", "br", "img"})
    DRAWN = frozenset({"path", "rect"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        if tag not in self.EMPTY:
            assert tag not in self.DRAWN, f"{tag} is not closed"
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.DRAWN
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}

    def values(self, *names: str) -> Iterator[str]:
        """Of some attributes."""
        for _, attributes in self.found:
            yield from (attributes[name] or "" for name in names if name in attributes)
