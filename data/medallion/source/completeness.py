"""Proves that a crawl is complete: compares the records with the API's own totals."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from ..lake.manifest import Check
from ..lake.records import Item
from ..table import BETWEEN, Table

VALUES_OF = "values of the API's {}"
"""The name of a facet's check: each of its values has the count that the API reports."""

MOST_RECORDS = 10**12

Identities = Callable[[list[Item]], Iterable[str | None]]
"""A function from the records of a page to their keys; None for a record without one."""


@dataclass(frozen=True)
class Totals:
    """The API's totals: its records, and the records per (folded) value of each facet."""

    records: int
    facets: Mapping[str, Counter[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.records <= MOST_RECORDS:
            raise ValueError(f"a total of {self.records}, which cannot be")


class Tally:
    """Counts the fetched records. Their ids are in a file, so their number has no limit.

    `facets` is of `Api.facets`, and `excuse` as `Api.excuse`.
    """

    def __init__(
        self,
        facets: Mapping[str, str],
        table: Table,
        file: Path,
        identities: Identities | None = None,
        excuse: Callable[[Mapping[str, int], int], str] = lambda spellings, reported: "",
    ) -> None:
        self.records = 0
        self.repeated = ""
        """The first key that was met twice."""
        self._identities = identities or self._as_received
        self._excuse = excuse
        self._table = table
        self._columns = facets
        self._facets: dict[str, Counter[str]] = {name: Counter() for name in facets}
        self._nameless = 0
        self._sum = 0
        file.unlink(missing_ok=True)  # it may be that of an earlier crawl
        self._ids = sqlite3.connect(file)
        self._ids.execute("PRAGMA journal_mode = OFF")  # nobody else reads the file, now or later
        self._ids.execute("CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, items: list[Item]) -> None:
        """Count the records of a page, of any shape; a repeated key counts once."""
        self.records += len(items)
        for (_, record), identity in zip(items, self._identities(items), strict=True):
            if identity is None:
                self._nameless += 1
            else:
                # As bytes, because an id may contain half a surrogate pair.
                key = identity.encode("utf-8", "surrogatepass")
                added = self._ids.execute("INSERT OR IGNORE INTO ids VALUES (?)", (key,))
                if not added.rowcount:
                    self.repeated = self.repeated or identity.replace(BETWEEN, " ")
                    continue
                self._sum += int.from_bytes(blake2b(key, digest_size=16).digest(), "big")
            for name, column in self._columns.items():
                found = self._table.value(record, column)
                if found is not None:
                    self._facets[name][str(found)] += 1

    def _as_received(self, items: list[Item]) -> Iterator[str | None]:
        """The keys of some records; each of their columns must be a number or a text."""
        for _, record in items:
            values = [self._table.value(record, name) for name in self._table.keys]
            named = (isinstance(v, (str, int)) and not isinstance(v, bool) for v in values)
            yield BETWEEN.join(map(str, values)) if all(named) and "" not in values else None

    @property
    def ids(self) -> tuple[int, int]:
        """A value that is equal for two crawls of the same ids, in any order."""
        return self.distinct, self._sum

    @property
    def distinct(self) -> int:
        """The number of distinct ids, plus the records without an id."""
        (named,) = self._ids.execute("SELECT count(*) FROM ids").fetchone()
        return int(named) + self._nameless

    def differences(self, totals: Totals) -> dict[str, dict[str, int]]:
        """The counts, `fetched` and `reported` by the API, that differ and are not excused."""
        found = {}
        if self.distinct != totals.records:
            found["total"] = {"fetched": self.distinct, "reported": totals.records}
        for facet, key, spellings, reported in self._counts_that_differ(totals):
            if not self._excuse(spellings, reported):
                found[f"{facet} {key}"] = {"fetched": sum(spellings.values()), "reported": reported}
        return found

    def _counts_that_differ(
        self, totals: Totals
    ) -> Iterator[tuple[str, str, Mapping[str, int], int]]:
        """Each such facet and value: the records per spelling of it, and the API's count."""
        for facet, reported in totals.facets.items():
            spelled: dict[str, dict[str, int]] = defaultdict(dict)
            for spelling, count in self._facets[facet].items():
                spelled[folded(spelling)][spelling] = count
            for key in sorted(reported.keys() | spelled.keys()):
                if sum(spelled[key].values()) != reported[key]:
                    yield facet, key, spelled[key], reported[key]

    def checks(self, totals: Totals) -> tuple[Check, ...]:
        """The proof of completeness, for a manifest."""
        name = "distinct records = the API's total"
        checks = [Check(name=name, expected=totals.records, found=self.distinct)]
        for facet, counts in totals.facets.items():
            name, found = VALUES_OF.format(facet), len(fold(self._facets[facet]))
            checks.append(Check(name=name, expected=len(counts), found=found))
        for facet, key, spellings, reported in self._counts_that_differ(totals):
            name, fetched = f"the API's {facet} {key!r}", sum(spellings.values())
            note = self._excuse(spellings, reported)
            checks.append(Check(name=name, expected=reported, found=fetched, note=note))
        return tuple(checks)


def fold(counts: Mapping[str, int]) -> Counter[str]:
    """Add up counts of keys that differ only in case, accents or spaces.

    A server's collation may count two spellings as one. The proof still holds, because the records
    are folded in the same way.
    """
    found = Counter[str]()
    for key, count in counts.items():
        found[folded(key)] += count
    return found


def folded(key: str) -> str:
    """A key without case, accents, and outer or double spaces."""
    letters = unicodedata.normalize("NFKD", key.casefold())
    base = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(base.split())
