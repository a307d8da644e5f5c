"""The README names every object and block."""

from __future__ import annotations

import yaml

from data.breweries.flow import FLOW
from tests.docs.code import CODE
from tests.docs.pages import ROOT, page

README = page("README.md")


def test_every_object_and_block_is_named():
    keys = {key for d in FLOW.datasets for key in (d.object, *d.sidecars) if key}
    assert len(keys) == 6 and all(key in README.text for key in keys)
    assert {dataset.block for dataset in FLOW.datasets} <= set(README.names)


def test_no_token_stands_in_the_triggers():
    triggers = yaml.safe_load(CODE[ROOT / "data/pipelines/breweries/triggers.yaml"])["triggers"]
    assert {trigger["name"] for trigger in triggers} == {"daily", "on_demand"}
    starting = [t for t in triggers if t["schedule_type"] == "time" and t["status"] == "active"]
    assert [trigger["envs"] for trigger in starting] == [["prod"]]
    assert "ENV=prod" in CODE[ROOT / "Dockerfile"]
    assert not any("token" in trigger for trigger in triggers)
