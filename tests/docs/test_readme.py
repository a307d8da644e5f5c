"""The README names every setting and object, and says the same in both languages."""

from __future__ import annotations

import re

import pytest
import yaml

from data.breweries.flow import FLOW
from data.medallion.host.redaction import SECRET_VARIABLE
from tests.docs.code import CODE, COMPOSE_SETTINGS, OF_THE_LAKE, SERVICES, SETTINGS
from tests.docs.pages import ROOT, named, page

README, PORTUGUESE = page("README.md"), page("README.pt-BR.md")
EXAMPLE = dict(
    line.split("=", 1)
    for line in CODE[ROOT / ".env.example"].splitlines()
    if line and not line.startswith("#")
)
MAGE = SERVICES["mage"]["environment"]
# Where compose says itself where the store is, and folders of this machine mean nothing.
NOT_PASSED_ON = {
    "MINIO_SECURE", "MINIO_CA_FILE", "MINIO_VIRTUAL_HOST_STYLE", "LAKE_SPOOL", "LAKE_VISUALIZATIONS"
}  # fmt: skip


def test_every_setting_is_in_the_example_with_its_default():
    assert EXAMPLE.keys() == SETTINGS.keys() | COMPOSE_SETTINGS.keys()
    for name, value in EXAMPLE.items():
        default = SETTINGS[name] if name in SETTINGS else COMPOSE_SETTINGS[name]
        if isinstance(default, frozenset):
            assert value == ",".join(sorted(default))
        elif value:
            assert str(default).lower() == value.lower() or float(default) == float(value)


@pytest.mark.parametrize("name", sorted(OF_THE_LAKE))
def test_compose_passes_every_setting_of_the_lake_on(name):
    assert (MAGE[name] == "") == (name in NOT_PASSED_ON)


def test_compose_passes_the_settings_of_every_flow_on():
    assert SERVICES["mage"]["env_file"] == ".env"


def test_a_service_has_no_secret_that_it_does_not_need():
    secrets = {name for name in EXAMPLE if SECRET_VARIABLE.fullmatch(name)}
    needed = {
        name
        for name in secrets
        if name.startswith(FLOW.prefix) or f"${{{name}" in str(MAGE.get(name))
    }
    assert secrets - needed == {name for name in secrets if MAGE.get(name) == ""}
    assert {"MINIO_SECRET_KEY", "JWT_SECRET", "BREWERIES_API_TOKEN"} <= needed
    assert {"GRAFANA_PASSWORD", "MINIO_READER_SECRET_KEY"} <= secrets - needed
    assert [name for name, service in SERVICES.items() if "env_file" in service] == ["mage"]


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
            known = SETTINGS[name] if name in SETTINGS else COMPOSE_SETTINGS[name]
            if re.fullmatch(r"[\d.]+", plain):
                assert float(plain) == float(known), name
            elif value == f"`{plain}`":
                assert plain == str(known).removeprefix(f"{ROOT}/").lower(), name
            else:
                continue
            compared += 1
    assert compared > 30


def test_every_object_and_block_is_named():
    keys = {key for d in FLOW.datasets for key in (d.object, *d.beside) if key}
    assert len(keys) == 6 and all(key in README.text for key in keys)
    assert {dataset.block for dataset in FLOW.datasets} <= set(README.names)


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
