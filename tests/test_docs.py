"""Fails when something is undocumented, or documented and not there."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from benchmarks import report, results
from data.breweries import __version__, datasets, drift
from data.breweries.settings import Settings
from sandbox.__main__ import _parser

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = {str(field.validation_alias): field for field in Settings.model_fields.values()}
PAGES = ("README.md", "README.pt-BR.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
HABITS = (
    *("CONTRIBUTING.md", ".pre-commit-config.yaml"),
    *(".github/workflows/ci.yml", ".github/workflows/dependencies.yml"),
)

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE_SETTINGS = dict(re.findall(r"\$\{(\w+):[-?]([^}]*)\}", COMPOSE)) | {"COMPOSE_PROFILES": ""}
# Where compose says itself where the store is, and folders of this machine mean nothing.
NOT_PASSED_ON = {"MINIO_SECURE", "MINIO_CA_FILE", "BREWERIES_SPOOL", "BREWERIES_VISUALIZATIONS"}


def test_every_setting_is_in_the_example_with_its_default():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
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
    mage = COMPOSE[COMPOSE.index("\n  mage:") :]
    assert re.search(rf"^      {name}:", mage + COMPOSE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(SETTINGS | COMPOSE_SETTINGS))
def test_every_setting_is_in_the_readme(name):
    assert f"`{name}`" in README


def test_every_setting_in_the_readme_is_there():
    named = set(re.findall(r"`((?:MINIO|BREWERIES|MAGE)_[A-Z_]+)", README))
    assert named <= SETTINGS.keys() | COMPOSE_SETTINGS.keys()


def make_targets():
    return set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_target_is_in_the_readme_and_the_other_way():
    named = set(re.findall(r"make ([a-z-]+)", README))
    assert named == make_targets()


@pytest.mark.parametrize("name", HABITS)
def test_every_make_target_that_is_named_elsewhere_is_there(name):
    named = set(re.findall(r"make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8")))
    assert named and named <= make_targets()


def test_the_newest_version_of_the_changelog_is_that_of_the_code():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, *rest = re.findall(r"^## (.+)$", text, re.MULTILINE)
    version, _, day = (rest[0] if newest == "Unreleased" else newest).partition(" - ")
    assert version == __version__ and date.fromisoformat(day)


def test_the_page_of_performance_is_what_was_measured():
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text == report.page(results.load()), "run python -m benchmarks.report"


def test_the_names_of_the_lake_are_in_the_readme():
    for name, key in vars(datasets).items():
        if name.endswith("_OBJECT"):
            assert key in README, name
    for dataset in (datasets.BRONZE, datasets.SILVER, datasets.GOLD, datasets.CHART):
        assert dataset.block in README


def test_the_rules_of_drift_are_in_the_docs():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (.+) \| (stops|noted) \|$", text, re.MULTILINE)
    assert {rule: when for rule, when, _ in told} == drift.RULES
    assert {rule for rule, _, then in told if then == "stops"} == drift.STOPPING


@pytest.mark.parametrize("name", PAGES)
def test_the_pictures_and_files_of_a_page_are_there(name):
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / name).read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (ROOT / link).exists(), link


def test_every_command_of_the_sandbox_says_what_it_does():
    help_text = _parser().format_help()
    for command in ("demo", "run", "store", "api", "web"):
        assert re.search(rf"^\s+{command}\s+\S", help_text, re.MULTILINE)


def test_the_portuguese_readme_has_the_same_commands_names_and_pictures():
    portuguese = (ROOT / "README.pt-BR.md").read_text(encoding="utf-8")
    blocks = r"```\w+\n.*?```"
    assert re.findall(blocks, portuguese, re.DOTALL) == re.findall(blocks, README, re.DOTALL)
    pictures = r"\]\((image/[^)]+)\)"
    assert re.findall(pictures, portuguese) == re.findall(pictures, README)

    def named(text: str) -> set[str]:
        return set(re.findall(r"`([^`\n]+)`", re.sub(blocks, "", text, flags=re.DOTALL)))

    assert named(portuguese) == named(README)
    headings = r"^(#+) "
    assert re.findall(headings, portuguese, re.MULTILINE) == re.findall(
        headings, README, re.MULTILINE
    )


def test_no_token_stands_in_the_triggers():
    text = (ROOT / "data/pipelines/breweries/triggers.yaml").read_text(encoding="utf-8")
    triggers = yaml.safe_load(text)["triggers"]
    assert {trigger["name"] for trigger in triggers} == {"daily", "on_demand"}
    assert not any("token" in trigger for trigger in triggers)
