"""The lock may differ from what packages ask for, by the overrides of pyproject.toml alone."""

import importlib
import re
import sys
from importlib.metadata import distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.pages import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOCKS = [ROOT / "requirements.lock", *ROOT.glob("*/requirements.lock")]
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", re.MULTILINE)
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
OVERRIDES = {
    canonicalize_name(one.name): one
    for one in map(Requirement, TOOLS["uv"]["override-dependencies"])
}
LEFT_OUT = {name for name, one in OVERRIDES.items() if str(one.marker) == 'python_version < "0"'}
STAND_INS = ROOT / "setup/stand_ins"


def pins(*locks: Path) -> dict[str, set[str]]:
    """The versions of each package of some locks, of whatever Python and system."""
    found: dict[str, set[str]] = {}
    for lock in locks:
        for package, version in PIN.findall(lock.read_text()):
            found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("lock", sorted(LOCKS))
def test_the_locks_hold_what_the_overrides_ask_for(lock):
    held = pins(lock)
    assert not LEFT_OUT & set(held)
    for name in set(OVERRIDES) - LEFT_OUT:
        assert all(OVERRIDES[name].specifier.contains(version) for version in held[name]), name


def test_each_newer_one_is_refused_by_mage():
    asked = {canonicalize_name(r.name): r for r in map(Requirement, requires("mage-ai") or [])}
    held = pins(LOCKS[0])
    newer = set(OVERRIDES) - LEFT_OUT
    assert newer <= asked.keys()
    needless = {n for n in newer if any(asked[n].specifier.contains(v) for v in held[n])}
    assert not needless, "mage-ai allows what is locked: delete these overrides"


def test_each_that_is_left_out_is_asked_for():
    asked = {
        canonicalize_name(requirement.name)
        for package in distributions()
        for requirement in map(Requirement, package.requires or [])
        if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    }
    assert asked >= LEFT_OUT, "nothing asks for these any more: delete their overrides"


def test_few_vulnerabilities_are_accepted_each_of_what_is_locked_and_with_a_reason():
    accepted = tomllib.loads((ROOT / "tests/audit.toml").read_text())["finding"]
    assert len(re.findall("CVE-|PYSEC-|GHSA-", str([one["id"] for one in accepted]))) <= 10
    held = pins(*LOCKS)
    assert all(one["version"] in held[one["package"]] and one["reason"] for one in accepted)


def test_the_stand_ins_are_installed():
    for path in STAND_INS.rglob("*.py"):
        name = ".".join(path.relative_to(STAND_INS).with_suffix("").parts)
        module = importlib.import_module(name.removesuffix(".__init__"))
        assert Path(str(module.__file__)).read_bytes() == path.read_bytes(), name
