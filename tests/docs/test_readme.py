"""The README names every setting and object, and says the same in both languages."""

from __future__ import annotations

import re

import pytest
import yaml

from data.medallion.lake import datasets
from tests.docs.code import CODE, COMPOSE_SETTINGS, SERVICES, SETTINGS
from tests.docs.pages import ROOT, named, page

README, PORTUGUESE = page("README.md"), page("README.pt-BR.md")
# Where compose says itself where the store is, and folders of this machine mean nothing.
NOT_PASSED_ON = {"MINIO_SECURE", "MINIO_CA_FILE", "LAKE_SPOOL", "LAKE_VISUALIZATIONS"}


def test_every_setting_is_in_the_example_with_its_default():
    lines = CODE[ROOT / ".env.example"].splitlines()
    shown = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert shown.keys() == SETTINGS.keys() | COMPOSE_SETTINGS.keys()
    for name, value in shown.items():
        default = SETTINGS[name].default if name in SETTINGS else COMPOSE_SETTINGS[name]
        if isinstance(default, frozenset):
            assert value == ",".join(sorted(default))
        elif value:
            assert str(default).lower() == value.lower() or float(default) == float(value)


@pytest.mark.parametrize("name", sorted(SETTINGS.keys() - NOT_PASSED_ON))
def test_compose_passes_every_setting_on(name):
    assert name in SERVICES["mage"]["environment"]


def test_every_setting_is_named():
    assert SETTINGS.keys() | COMPOSE_SETTINGS.keys() <= set(README.names)


@pytest.mark.parametrize("page", [README, PORTUGUESE], ids=str)
def test_the_defaults_in_the_tables_are_those_of_the_code(page):
    compared = 0
    for names, told in re.findall(
        r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]+) \|", page.prose, re.M
    ):
        for name, value in zip(named(names), told.split(", "), strict=False):
            plain = value.strip("`")
            known = SETTINGS[name].default if name in SETTINGS else COMPOSE_SETTINGS[name]
            if re.fullmatch(r"[\d.]+", plain):
                assert float(plain) == float(known), name
            elif value == f"`{plain}`":
                assert plain == str(known).removeprefix(f"{ROOT}/").lower(), name
            else:
                continue
            compared += 1
    assert compared > 30


def test_every_object_and_block_is_named():
    keys = {key for name, key in vars(datasets).items() if name.endswith("_OBJECT")}
    assert all(key in README.text for key in keys)
    assert {dataset.block for dataset in datasets.DATASETS} <= set(README.names)


def test_the_portuguese_has_the_same_code_names_links_and_headings():
    assert PORTUGUESE.blocks == README.blocks
    assert set(PORTUGUESE.names) == set(README.names)
    heads, links = (r"^(#+) ", r"\]\(((?!README)[^)]+)\)")
    for pattern in (heads, links):
        found = [re.findall(pattern, p.prose, re.MULTILINE) for p in (README, PORTUGUESE)]
        assert found[0] == found[1]


def test_no_token_stands_in_the_triggers():
    triggers = yaml.safe_load(CODE[ROOT / "data/pipelines/breweries/triggers.yaml"])["triggers"]
    assert {trigger["name"] for trigger in triggers} == {"daily", "on_demand"}
    assert not any("token" in trigger for trigger in triggers)
