"""The invented breweries: equal everywhere, as large, as skewed and as dirty as the real ones."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sandbox.breweries.generator import KEYS, generate

LOCATIONS = Path(__file__).resolve().parents[2] / "sandbox" / "breweries" / "locations.csv"
SHA256 = "4147f5d3a017764db76f128c4a179c2f41b0c9a202bc44fa7b0c8e9dd4d88a19"
"""Of json.dumps(generate()), the same on Python 3.10, 3.11 and 3.12."""

Record = dict[str, Any]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return generate()


@pytest.fixture(scope="module")
def weights() -> dict[tuple[str, str], int]:
    with LOCATIONS.open(encoding="utf-8", newline="") as file:
        return {(row["country"], row["state"]): int(row["weight"]) for row in csv.DictReader(file)}


def located(records: list[Record]) -> Counter[tuple[str, str]]:
    """How many records each location has, stray spaces aside."""
    return Counter((r["country"].strip(), r["state"].strip()) for r in records)


def with_value(records: list[Record], field: str) -> list[Any]:
    return [record[field] for record in records if record[field] is not None]


def test_equal_arguments_give_equal_bytes_on_every_machine(records: list[Record]) -> None:
    assert hashlib.sha256(json.dumps(records).encode()).hexdigest() == SHA256


def test_another_seed_gives_other_records() -> None:
    assert generate(300) == generate(300) != generate(300, seed=7)


@pytest.mark.parametrize("count", [0, 1, 5, 212, 213, 214, 2_000])
def test_count_is_kept_and_each_location_occurs_when_there_is_room(count: int) -> None:
    records = generate(count)
    assert len(records) == count
    assert len(located(records)) == min(count, 213)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="count"):
        generate(-1)


def test_keys_types_and_copies(records: list[Record]) -> None:
    for record in records:
        assert tuple(record) == KEYS
        assert record["state"] == record["state_province"]
        assert record["street"] == record["address_1"]
        assert (record["longitude"] is None) == (record["latitude"] is None)
        for field in ("id", "name", "brewery_type", "city", "state_province", "country"):
            assert isinstance(record[field], str)
    assert [r["name"] for r in records] == sorted(r["name"] for r in records)


def test_ids_are_unique_lower_case_uuids_of_version_4(records: list[Record]) -> None:
    shape = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(shape.fullmatch(record["id"]) for record in records)
    assert len({record["id"] for record in records}) == len(records)


def test_locations_have_the_shares_of_the_facts(
    records: list[Record], weights: dict[tuple[str, str], int]
) -> None:
    found = located(records)
    assert len(weights) == 213
    assert len({country for country, _ in weights}) == 23
    assert found.keys() == weights.keys()
    assert all(abs(found[place] - weight) <= 2 + weight / 100 for place, weight in weights.items())
    assert found["United States", "MIssouri"] == 1
    assert sum(rows == 1 for rows in found.values()) == 32
    assert found.most_common(1)[0][0] == ("United States", "California")


def test_the_misspelt_state_has_one_row_at_any_size() -> None:
    assert located(generate(24_000))["United States", "MIssouri"] == 1


def test_names_that_break_paths_are_among_the_states(
    weights: dict[tuple[str, str], int],
) -> None:
    odd = """MIssouri, dolnośląskie, Hawke's Bay Region, Région flamande, Flanders, Vlaanderen,
        Région wallonne, Wallonia, Waals Gewest, Northland, Northland Region, Deagu, Åland, WA,
        Baden-Württemberg, Kanta-Häme, Manawatū-Whanganui Region"""
    assert {name.strip() for name in odd.split(",")} <= {state for _, state in weights}


def test_text_is_normal_and_every_template_is_filled(records: list[Record]) -> None:
    values = {value for record in records for value in record.values() if isinstance(value, str)}
    assert not [value for value in values if re.search("[\x00-\x1f\ufffd{}#%]", value)]
    assert not [value for value in values if unicodedata.normalize("NFC", value) != value]


def test_types_have_the_shares_of_the_facts(records: list[Record]) -> None:
    types = Counter(record["brewery_type"] for record in records)
    assert len(types) == 14
    expected = {"micro": 5840, "brewpub": 3931, "planning": 640, "closed": 637, "regional": 239}
    assert all(abs(types[name] - rows) < 0.2 * rows for name, rows in expected.items())
    groups = {(r["country"].strip(), r["state"].strip(), r["brewery_type"]) for r in records}
    assert 500 < len(groups) < 750


@pytest.mark.parametrize(
    ("field", "share"),
    [
        ("address_1", 0.064),
        ("address_2", 0.973),
        ("address_3", 0.9967),
        ("longitude", 0.206),
        ("phone", 0.112),
        ("website_url", 0.113),
    ],
)
def test_nulls_have_the_shares_of_the_facts(
    records: list[Record], field: str, share: float
) -> None:
    assert sum(r[field] is None for r in records) / len(records) == pytest.approx(share, abs=0.012)


def test_sizes_are_those_of_the_facts(records: list[Record]) -> None:
    distinct = {field: len(set(map(str, with_value(records, field)))) for field in KEYS}
    assert distinct["name"] > 11_000
    assert 4_000 < distinct["city"] < 6_000
    triples = {(r["country"].strip(), r["state"].strip(), r["city"].strip()) for r in records}
    assert 5_000 < len(triples) < 7_000
    assert max(map(len, with_value(records, "name"))) <= 66
    compact = json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode()
    assert 4.0e6 < len(compact) < 6.0e6


def test_phones_and_websites_reach_nobody(records: list[Record]) -> None:
    assert all(
        re.match(r"[Hh]ttps?://.*\.example", url) for url in with_value(records, "website_url")
    )
    american = [r["phone"] for r in records if r["country"] == "United States" and r["phone"]]
    odd = [phone for phone in american if not re.search(r"555\D?01\d\d$", phone)]
    assert len(odd) == 2


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (lambda r: not r["name"].isascii(), 400, 1_000),
        (lambda r: "/" in r["name"], 80, 300),
        (lambda r: "," in r["name"], 100, 400),
        (lambda r: "  " in r["name"].strip(), 3, 12),
        (lambda r: r["name"].startswith("'"), 3, 60),
        (lambda r: "/" in r["city"], 1, 20),
        (lambda r: "(" in r["city"], 10, 60),
        (lambda r: r["city"].strip().islower(), 5, 15),
        (lambda r: r["postal_code"] is None, 2, 2),
        (lambda r: (r["postal_code"] or "").startswith("0"), 500, 1_600),
        (lambda r: (r["postal_code"] or "").endswith("-"), 40, 120),
        (lambda r: isinstance(r["latitude"], int), 1, 1),
        (lambda r: isinstance(r["latitude"], float) and r["latitude"] < -60, 2, 2),  # swapped
        (lambda r: "\xad" in (r["address_1"] or ""), 1, 1),
        (lambda r: "@" in (r["website_url"] or ""), 8, 20),
        (lambda r: not (r["website_url"] or "").isascii(), 3, 30),
        (lambda r: (r["website_url"] or "").startswith("Http"), 1, 1),
        # only older data had these
        (lambda r: r["country"] == " United States", 1, 1),
        (lambda r: r["country"] != r["country"].strip(), 1, 1),
        (lambda r: r["state"] != r["state"].strip(), 2, 5),
        (lambda r: any(str(r[key]) != str(r[key]).strip() for key in KEYS), 20, 50),
        (lambda r: "Â\xa0" in (r["address_1"] or ""), 3, 10),
        (lambda r: isinstance(r["latitude"], str) and isinstance(r["longitude"], str), 8, 12),
    ],
)
def test_dirt_occurs_as_documented(records: list[Record], kind: Any, least: int, most: int) -> None:
    assert least <= sum(map(kind, records)) <= most


def test_coordinates_lie_on_earth_even_when_swapped(records: list[Record]) -> None:
    assert all(-180 <= float(value) <= 180 for value in with_value(records, "longitude"))
    assert all(-90 <= float(value) <= 90 for value in with_value(records, "latitude"))


def test_italian_coordinates_are_swapped(records: list[Record]) -> None:
    latitudes = with_value([r for r in records if r["country"] == "Italy"], "latitude")
    assert latitudes
    assert all(10 < latitude < 13 for latitude in latitudes)


def test_some_records_share_coordinates_and_some_all_but_the_id(records: list[Record]) -> None:
    placed = [r for r in records if r["latitude"] is not None]
    shared = Counter((r["longitude"], r["latitude"]) for r in placed)
    assert sum(rows > 1 for rows in shared.values()) > 100
    same = Counter((r["name"], r["city"], r["state"]) for r in records)
    assert 30 < sum(rows > 1 for rows in same.values()) < 120
    identical = Counter(json.dumps([r[key] for key in KEYS[1:]]) for r in records)
    assert sum(rows > 1 for rows in identical.values()) == 3
