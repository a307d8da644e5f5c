"""What the store's reader may do, where the buckets' names begin with a prefix."""

import json
from pathlib import Path

import pytest

from compose.monitoring import policy_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", ["store-policy-read.json", "store-policy-metrics.json"])
def test_without_a_prefix_a_policy_is_as_it_stands(name):
    assert policy_of(DOCS / name, "") == json.loads((DOCS / name).read_text())


def test_a_prefix_stands_before_every_bucket():
    listing, getting = policy_of(DOCS / "store-policy-read.json", "acme-")["Statement"]
    layers = ("bronze", "silver", "gold")
    assert listing["Resource"] == [f"arn:aws:s3:::acme-{layer}" for layer in layers]
    assert getting["Resource"] == [f"arn:aws:s3:::acme-{layer}/*" for layer in layers]
