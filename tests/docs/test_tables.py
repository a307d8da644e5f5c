"""What is listed in full is complete, in its order, and of the right kind."""

import ast
import html
import re
from datetime import date, datetime
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
import yaml
from grimp import ImportGraph
from pydantic import BaseModel

from benchmarks import report, results
from data.breweries.flow import FLOW
from data.medallion import __version__, rules
from data.medallion.dictionary import dictionary
from data.medallion.lake import error_logs, lease
from data.medallion.lake.maintenance import LONGEST_LOG, REREAD
from data.medallion.lake.manifest import MANIFEST_VERSION, Manifest
from data.medallion.layers.bronze import READ_AGAIN
from data.medallion.layers.silver.cleaner import Rejected
from data.medallion.table import ARROW
from image.imports import PACKAGES, graph, imports
from tests.docs.code import ALERTS, CODE, OVERRIDES
from tests.docs.pages import ROOT, named, page, table

LAKE = page("docs/lake.md")


def test_the_manifest_is_told_field_by_field():
    told = [(*named(field), kind) for field, kind, _ in table(LAKE.section("The manifest"))]
    shapes = [(name, shape(field.annotation)) for name, field in Manifest.model_fields.items()]
    assert told == shapes
    assert f"`manifest_version` is {MANIFEST_VERSION}." in LAKE.text


def shape(kind: Any) -> str:
    """A field's type, as the document tells it."""
    if get_origin(kind) in {Union, UnionType}:
        kind, _ = get_args(kind)
    if get_origin(kind) is tuple:
        return f"list of {shape(get_args(kind)[0])}"
    if kind == dict[str, str]:
        return "texts by name"
    if get_origin(kind) is Literal:
        return "text"
    if issubclass(kind, BaseModel):
        return ", ".join(f"`{name}`" for name in kind.model_fields)
    return PLAIN[kind]


PLAIN = {str: "text", int: "number", float: "number", bool: "true or false", datetime: "time"}


@pytest.mark.parametrize(
    ("section", "path"), [("Silver", FLOW.silver.path), ("Gold", FLOW.gold[0].path)]
)
def test_every_column_is_told(section, path):
    assert table(LAKE.section(section)) == [
        [
            f"`{entry.name}`",
            str(ARROW[entry.type]),
            "yes" if entry.nullable else "no",
            ", ".join(f"`{field}`" for field in entry.source.split(", ")),
            entry.about,
        ]
        for entry in dict(dictionary(FLOW))[path]
    ]
    assert all(entry.about for _, entries in dictionary(FLOW) for entry in entries)


def test_the_error_log_is_told_field_by_field():
    log = error_logs.describe(ValueError(), FLOW.name, FLOW.silver, "run", 1, {})
    rows = table(LAKE.section("Logs, leases, scratch"))
    assert [name for row in rows for name in named(row[0])] == list(log)


@pytest.mark.parametrize(
    ("before", "names"),
    [
        ("breweries_rejected.json` is", re.findall(r'"(\w+)":', Rejected("0", "", 0).to_json())),
        ("leases/<dataset>.json` is", [*lease.Holder.model_fields]),
    ],
    ids=["rejected", "lease"],
)
def test_a_reject_and_a_lease_are_told_field_by_field(before, names):
    told = LAKE.text.partition(before)[2]
    assert named(told)[: len(names)] == names


def test_every_rule_of_drift_is_told():
    told = table(page("docs/reliability.md").section("When the data change"))
    assert {named(rule)[0]: when for rule, when, _ in told} == rules.RULES
    assert {named(rule)[0] for rule, _, then in told if then == "stops"} == rules.STOPPING


def test_the_limits_of_a_log_are_those_of_the_code():
    text = " ".join(page("docs/reliability.md").text.split())
    assert f"up to {READ_AGAIN >> 20} MiB in all) and {REREAD} older entries" in text
    assert f"when there are more than {LONGEST_LOG}," in LAKE.text


def test_every_alert_is_told():
    assert {name for name in page("docs/monitoring.md").names if name in ALERTS} == ALERTS


def test_every_macro_of_zabbix_is_told():
    zabbix = page("docs/monitoring.md").text.partition("\n| macro |")
    told = {named(macro)[0]: value.strip("`") for macro, value, _ in table("".join(zabbix[1:]))}
    template = yaml.safe_load(CODE[ROOT / "monitoring/zabbix/template.yaml"])["zabbix_export"]
    assert told == {m["macro"]: m["value"] for m in template["templates"][0]["macros"]}


def test_the_page_of_performance_is_what_was_measured():
    measured = report.page(results.load())
    assert page("docs/performance.md").text == measured, "run python -m benchmarks.report"


def test_the_newest_version_of_the_changelog_is_that_of_the_code():
    newest, *rest = re.findall(r"^## (.+)$", page("CHANGELOG.md").text, re.MULTILINE)
    version, _, day = (rest[0] if newest == "Unreleased" else newest).partition(" - ")
    assert version == __version__ and date.fromisoformat(day)


def test_the_picture_of_the_imports_shows_them_all():
    picture = CODE[ROOT / "image" / "imports.svg"]
    titles = re.findall(r"<title>(.+)&#45;&gt;(.+)</title>", picture)
    told = {(html.unescape(one), html.unescape(other)) for one, other in titles}
    there = imports()
    drawn = ImportGraph()
    for importer, imported in told:
        drawn.add_import(importer=importer, imported=imported)
    assert told <= there, "run python -m image.imports"
    assert all(drawn.chain_exists(*pair) for pair in there), "run python -m image.imports"
    modules = {m for package in PACKAGES for m in graph().find_descendants(package)}
    texts = re.findall(r">([^<>]+)</text>", picture)
    shown = {name for text in texts for name in text.removesuffix(".py").split("/")}
    assert {m.rpartition(".")[2] for m in modules} <= shown, "run python -m image.imports"


def test_every_folder_of_tests_is_told():
    told = {named(folder)[0] for folder, _ in table(page("CONTRIBUTING.md").section(TESTS))}
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    assert told == {f"tests/{path.relative_to(ROOT / 'tests').parts[0]}/" for path in folders}


TESTS = "What each folder of tests proves"


def test_every_package_is_told():
    told = [named(row[0])[0] for row in table(page("docs/structure.md").section("The packages"))]
    packages = (
        path.parent
        for package in PACKAGES
        for path in (ROOT / package.replace(".", "/")).rglob("__init__.py")
    )
    assert sorted(told) == sorted(f"{one.relative_to(ROOT)}/" for one in packages)


def test_every_decision_is_listed():
    told = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", page("docs/decisions/README.md").text)
    assert told == sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))


LONGEST_MODULE, LONGEST_FUNCTION = 350, 45


def test_no_module_and_no_function_is_longer_than_the_document_says():
    told = page("docs/structure.md").text
    assert f"No module has more than {LONGEST_MODULE} lines" in told
    assert f"no function more than {LONGEST_FUNCTION}" in told
    for path, text in CODE.items():
        if path.suffix == ".py" and path.is_relative_to(ROOT / "data"):
            assert len(text.splitlines()) <= LONGEST_MODULE, path
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    assert node.end_lineno - node.lineno < LONGEST_FUNCTION, (path, node.name)


def test_every_override_is_told():
    record = page("docs/decisions/0005-a-lock-newer-than-its-pins.md")
    told = {
        section: [name for first, *_ in table(record.section(section)) for name in named(first)]
        for section in ("Newer than mage-ai pins it", "Left out")
    }
    left_out = [name for name, asked in OVERRIDES.items() if "python_version" in asked]
    newer = [name for name in OVERRIDES if name not in left_out]
    assert told == {"Newer than mage-ai pins it": newer, "Left out": left_out}
