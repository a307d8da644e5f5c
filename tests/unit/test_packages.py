"""Two packages: the machinery knows no dataset, and the package of a dataset says all about it."""

import ast
from pathlib import Path

import pytest

from data.medallion import project
from data.medallion.host.envfile import PROJECT

MACHINERY = sorted((PROJECT / "medallion").rglob("*"))
FILES = [file for file in MACHINERY if file.is_file() and "__pycache__" not in file.parts]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_no_word_of_a_dataset_is_in_the_machinery(file):
    assert "brewer" not in file.read_text(encoding="utf-8").lower()
    assert "brewer" not in file.name.lower()


def test_the_machinery_s_own_tests_know_no_dataset_either():
    """So that who changes a dataset breaks the tests of that dataset alone."""
    known = tuple(f"data.{name}." for name in project.names())
    tests = Path(__file__).parent
    for file in (*tests.glob("*.py"), tests.parent / "stations.py", tests.parent / "answers.py"):
        assert not [name for name in imports(file) if f"{name}.".startswith(known)], file


def imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
