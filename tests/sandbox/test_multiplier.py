import json

from sandbox.breweries.generator import generate
from sandbox.breweries.multiplier import multiplied


def without_id(records):
    return [{key: value for key, value in record.items() if key != "id"} for record in records]


def test_copies_differ_in_their_ids_alone():
    records = generate(500)
    found = [json.loads(text) for text in multiplied(records, 3)]
    assert found[:500] == records
    assert without_id(found) == 3 * without_id(records)
    assert len({record["id"][:8] for record in found}) == 1_500  # random in every part
