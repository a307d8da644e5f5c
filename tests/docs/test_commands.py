"""Every command of the documents can be called: its target, its variables and options are there."""

import json
import re
import shlex
from importlib.util import find_spec

import pytest

from tests.docs.code import CODE, COMPOSE_SETTINGS, MAKEFILE, SERVICES, TARGETS, VARIABLES
from tests.docs.pages import GUIDE, PAGES, ROOT, Page, is_command, page

CI = CODE[ROOT / ".ci/run"]
CALLING = [ROOT / ".pre-commit-config.yaml", *ROOT.glob(".github/workflows/*.yml")]


def commands(page: Page) -> set[str]:
    """All of a document: those of its shell blocks, in its text, and with the options in tables."""
    scripts = [block.text for block in page.blocks if block.language in {"bash", "sh"}]
    lines = "\n".join(scripts).replace("\\\n", "").splitlines()
    found = {" ".join(line.partition(" #")[0].split()) for line in lines}
    found |= {name for name in page.names if is_command(name)}
    for row in re.findall(r"^\| `make .*", page.prose, re.MULTILINE):
        command, *more = re.findall(r"`([^`]+)`", row)
        found |= {f"{command} {name}" for name in more if re.match(r"[A-Z_]+=", name)}
    return found - {""}


def can_be_called(command: str) -> bool:
    """Whether all that a command names is there, as far as it is this project's."""
    program, *words = shlex.split(re.split(" [<>|]", command)[0])
    names = [word for word in words if not word.startswith("-")]
    if program == "make":
        target, *variables = names
        recipe = re.search(rf"^{target}:.*##.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
        known = recipe and {one.partition("=")[0] for one in variables} <= VARIABLES
        return bool(known) and has_options(re.search(r"-m ([\w.]+)", recipe[1]), command)
    if program == "docker-compose":
        return {one.partition("=")[0] for one in names[1:2]} <= SERVICES.keys()
    if program == "apt-get":
        return all(package in CI for package in names[1:])
    module = re.search(r"python -m ([\w.]+)", command.replace("breweries_lake.", "data."))
    return not module or (bool(find_spec(module[1])) and has_options(module, command))


def has_options(module: re.Match[str] | None, command: str) -> bool:
    """Whether a module of ours takes the options of a command."""
    file = ROOT / (module[1] if module else "").replace(".", "/")
    text = CODE.get(file / "__main__.py") or CODE.get(file.with_suffix(".py"), "")
    if "reader_commands" in text:
        text += CODE[ROOT / "data/medallion/reader_commands.py"]
    return not text or all(f'"{one}"' in text for one in re.findall(r"--[a-z-]+", command))


@pytest.mark.parametrize("page", [p for p in PAGES if p.original != GUIDE], ids=str)
def test_every_command_can_be_called(page: Page) -> None:
    assert [command for command in commands(page) if not can_be_called(command)] == []


@pytest.mark.parametrize(
    "command",
    ["make all", "make sql QUERY=1", 'make demo ARGS="--speed 1"', "docker-compose logs postgres",
     "python -m monitoring.nagios", "python -m monitoring.zabbix --user x", "apt-get install vim"],
)  # fmt: skip
def test_a_command_that_cannot_be_called_is_seen(command: str) -> None:
    assert not can_be_called(command)


def test_every_target_is_in_the_readme_or_for_who_contributes() -> None:
    readme, contributing = (
        {command.split()[1] for command in commands(page(name)) if command.startswith("make ")}
        for name in ("README.md", "CONTRIBUTING.md")
    )
    assert readme | contributing == TARGETS


def test_every_target_that_the_code_tells_of_or_a_hook_calls_is_there() -> None:
    for path, text in CODE.items():
        assert set(re.findall(r"[Rr]un `?make ([a-z-]+)", text)) <= TARGETS, path
    for path in CALLING:
        assert set(re.findall(r"make ([a-z-]+)", path.read_text(encoding="utf-8"))) <= TARGETS, path


def test_the_dev_container_has_the_image_a_target_and_the_port_of_the_code() -> None:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^ *//.*$", "", text, flags=re.MULTILINE))
    (image,) = set(re.findall(r"^FROM (\S+)", CODE[ROOT / "Dockerfile"], re.MULTILINE))
    assert container["image"] == image.replace("-slim", "")  # with make and git
    program, target = container["postCreateCommand"].split()
    assert program == "make" and target in TARGETS
    assert container["forwardPorts"] == [int(COMPOSE_SETTINGS["MAGE_PORT"])]
