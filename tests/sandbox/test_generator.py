"""The invented breweries: equal everywhere, and as dirty as the real ones."""

import hashlib
import json
import re
from collections import Counter
from typing import Any

import pytest

from sandbox.breweries.generator import KEYS, generate
from sandbox.breweries.multiplier import multiplied

SHA256 = "4147f5d3a017764db76f128c4a179c2f41b0c9a202bc44fa7b0c8e9dd4d88a19"
"""Of json.dumps(generate()), the same on Python 3.10, 3.11 and 3.12."""

Record = dict[str, Any]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return generate()


def located(records: list[Record]) -> Counter[tuple[str, str]]:
    """How many records each location has, stray spaces aside."""
    return Counter((r["country"].strip(), r["state"].strip()) for r in records)


def test_equal_arguments_give_equal_bytes_on_every_machine(records: list[Record]) -> None:
    """Whoever makes others looks at the shares and the dirt of the facts again."""
    assert hashlib.sha256(json.dumps(records).encode()).hexdigest() == SHA256


def test_another_seed_gives_other_records() -> None:
    assert generate(300) == generate(300) != generate(300, seed=7)


@pytest.mark.parametrize("count", [0, 1, 5, 212, 213, 214, 2_000])
def test_count_is_kept_and_each_location_occurs_when_there_is_room(count: int) -> None:
    records = generate(count)
    assert len(records) == count
    assert len(located(records)) == min(count, 213)
    assert {tuple(record) for record in records} <= {KEYS}
    assert len({record["id"] for record in records}) == count


def test_phones_and_websites_reach_nobody(records: list[Record]) -> None:
    sites = {record["website_url"] for record in records} - {None}
    assert all(re.match(r"[Hh]ttps?://.*\.example", url) for url in sites)
    american = [r["phone"] for r in records if r["country"] == "United States" and r["phone"]]
    odd = [phone for phone in american if not re.search(r"555\D?01\d\d$", phone)]
    assert len(odd) == 2


def test_copies_of_records_differ_in_their_ids_alone(records: list[Record]) -> None:
    found = [json.loads(text) for text in multiplied(records[:500], 3)]
    assert found[:500] == records[:500]
    assert [{**r, "id": ""} for r in found] == 3 * [{**r, "id": ""} for r in records[:500]]
    assert len({record["id"][:8] for record in found}) == 1_500  # random in every part
