"""Every command of the documents is run by a test, or said to be run by none."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.code import CODE, TARGETS
from tests.docs.commands import FOLLOWED, NOT_RUN, RUN, commands
from tests.docs.pages import PAGES, ROOT, page

WORKFLOWS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(".github/workflows/*.yml"))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_command_is_run_or_said_not_to_be(page):
    others = commands(page) - RUN.keys() - NOT_RUN.keys()
    assert [command for command in others if not is_found(command)] == []


def is_found(command):
    """Whether a test, or what CI runs, has a make target together with its variables."""
    target = re.match(r"make (?:-s )?([a-z-]+)", command)
    names = [target and rf"make (-s )?{target[1]}(?![\w-])", *re.findall(r" ([A-Z]+=)", command)]
    return target and any(all(re.search(name, text) for name in names) for text in RUNNING)


def test_what_is_said_of_commands_is_of_those_in_the_documents():
    found = set().union(*map(commands, PAGES))
    assert not RUN.keys() & NOT_RUN.keys()
    assert RUN.keys() | NOT_RUN.keys() <= found


@pytest.mark.parametrize("command", RUN)
def test_a_command_is_run_where_it_is_said(command):
    where, words = RUN[command]
    file, _, function = where.partition("::")
    assert (words or command) in told(CODE[ROOT / file], function)


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_is_followed_where_it_is_said(name):
    assert f'"{Path(name).name}"' in CODE[ROOT / FOLLOWED[name]]


@pytest.mark.parametrize("path", [".pre-commit-config.yaml", *WORKFLOWS])
def test_every_target_that_a_hook_or_a_workflow_calls_is_there(path):
    called = set(re.findall(r"make ([a-z-]+)", (ROOT / path).read_text(encoding="utf-8")))
    assert called and called <= TARGETS


def told(text: str, function: str) -> str:
    """The words of a script, or those that stand as text in a function and at its head."""
    if not function:
        return text
    (found,) = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name == function
    )
    constants = [node for node in ast.walk(found) if isinstance(node, ast.Constant)]
    constants.sort(key=lambda node: (node.lineno, node.col_offset))
    return " ".join(node.value for node in constants if isinstance(node.value, str))


RUNNING = [
    CODE[ROOT / ".ci/run"],
    *(
        told(text, node.name)
        for path, text in CODE.items()
        if path.is_relative_to(ROOT / "tests") and path.suffix == ".py"
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and "make" in ast.unparse(node)
    ),
]
"""What CI runs, and the texts of each function of the tests that may run a command."""

FIRST = {
    "api", "changes", "check", "dataset", "demo", "down", "env", "export", "help", "logs",
    "monitor", "open", "report", "run", "sql", "store", "test", "trigger", "up", "versions", "web",
    "zabbix",
}  # fmt: skip


def test_every_make_target_is_in_the_guide_and_the_users_are_in_the_readme():
    assert FIRST <= targets(page("README.md")) <= TARGETS
    assert FIRST | targets(page("CONTRIBUTING.md")) == TARGETS


def targets(page):
    return {command.split()[1] for command in commands(page) if "make " in command}


def test_every_target_that_the_code_tells_of_is_there():
    for path, text in CODE.items():
        assert set(re.findall(r"[Rr]un `?make ([a-z-]+)", text)) <= TARGETS, path
