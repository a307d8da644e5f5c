"""Each setting is in the example, in docs/settings.md, and passed on where it must be."""

import re

import pytest
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from data.breweries.flow import FLOW
from data.medallion.host.redaction import SECRET_VARIABLE
from data.medallion.settings import FlowSettings, LakeSettings
from tests.docs.code import CODE, COMPOSE_SETTINGS, OF_THE_LAKE, SERVICES, SETTINGS
from tests.docs.pages import ROOT, Page, named, page

ENGLISH, PORTUGUESE = page("docs/settings.md"), page("docs/settings.pt-BR.md")
IN_BOTH = pytest.mark.parametrize("page", [ENGLISH, PORTUGUESE], ids=str)
EXAMPLE = dict(
    line.split("=", 1)
    for line in CODE[ROOT / ".env.example"].splitlines()
    if line and not line.startswith("#")
)
DEFAULTS = SETTINGS | COMPOSE_SETTINGS
MAGE = SERVICES["mage"]["environment"]
# Where compose says itself where the store is, and folders of this machine mean nothing.
NOT_PASSED_ON = {
    "MINIO_SECURE", "MINIO_SESSION_TOKEN", "MINIO_INSTANCE_ROLE", "MINIO_VIRTUAL_HOST_STYLE",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
    "LAKE_SPOOL", "LAKE_VISUALIZATIONS",
}  # fmt: skip
WORDS = {" more": " mais", " or ": " ou ", " to ": " a ", "more than": "mais que"}


def rows(page: Page) -> dict[str, tuple[str, str]]:
    """Each setting of a page's tables to its default and to what it takes."""
    found = {}
    for line in re.findall(r"^\| (`[A-Z_]+`.*) \|$", page.prose, re.MULTILINE):
        names, default, takes, meaning = line.split(" | ")
        assert meaning
        defaults = default.split(", ") if default.count(", ") == names.count(", ") else None
        for place, name in enumerate(named(names)):
            assert name not in found, name
            found[name] = (defaults[place] if defaults else default, takes)
    return found


def test_every_setting_is_in_the_example_with_its_default():
    assert EXAMPLE.keys() == DEFAULTS.keys()
    for name, value in EXAMPLE.items():
        default = DEFAULTS[name]
        if isinstance(default, frozenset):
            assert value == ",".join(sorted(default))
        elif value:
            assert str(default).lower() == value.lower() or float(default) == float(value)


def test_compose_passes_on_every_setting_of_the_lake_and_of_each_flow():
    assert {name for name in OF_THE_LAKE if MAGE[name] == ""} == NOT_PASSED_ON
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


@IN_BOTH
def test_every_setting_has_one_row_with_its_default(page):
    assert rows(page).keys() == DEFAULTS.keys()
    compared = 0
    for name, (told, _) in rows(page).items():
        plain = told.partition(":")[0] if told[0].isdigit() else told.strip("`")
        known = DEFAULTS[name]
        if isinstance(known, frozenset):
            assert plain == ",".join(sorted(known))
        elif re.fullmatch(r"[\d.]+", plain):
            assert float(plain) == float(known), name
        elif told == f"`{plain}`":
            assert plain == str(known).removeprefix(f"{ROOT}/").lower(), name
        else:
            assert not re.search(r"\d", str(known)) or name == "MINIO_IMAGE", name
            continue
        compared += 1
    assert compared > 35


@IN_BOTH
def test_every_number_is_told_with_its_limits(page):
    told, compared = rows(page), 0
    for prefix, kind in (("", LakeSettings), (FLOW.prefix, FlowSettings)):
        for field in kind.model_fields.values():
            if limits := limits_of(field):
                for english, portuguese in WORDS.items() if page is PORTUGUESE else ():
                    limits = limits.replace(english, portuguese)
                takes = told[f"{prefix}{field.validation_alias}"][1]
                assert takes.endswith(f", {limits}"), (field.validation_alias, limits)
                compared += 1
    assert compared > 15


def limits_of(field: FieldInfo) -> str:
    """What a number may be, as the page tells it."""
    least, most = (
        next((getattr(one, name) for one in field.metadata if isinstance(one, kind)), None)
        for kind, name in ((Ge, "ge"), (Le, "le"))
    )
    if most is not None:
        return f"{least} to {most}"
    if any(isinstance(limit, Gt) for limit in field.metadata):
        return "more than 0"
    return "" if least is None else f"{least} or more"
