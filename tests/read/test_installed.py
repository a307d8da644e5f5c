"""The readers, installed alone: the package in an environment of its own, outside of the clone."""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from data.medallion import project
from tests.docs.pages import ROOT, page
from tests.read.conftest import SETTING

pytestmark = pytest.mark.server
PACKAGE = "breweries_lake"
PROGRAMS = [
    block.text
    for document in ("README.md", "docs/lake.md")
    for block in page(document).blocks
    if block.language == "python" and f"from {PACKAGE}" in block.text
]
BLOCKS = re.compile("/(custom|data_exporters|data_loaders|pipelines|transformers|tests|secrets)/")


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """An environment with the package and what it brings, and with nothing else."""
    folder, uv = tmp_path_factory.mktemp("reader"), Path(sys.executable).with_name("uv")
    # Not in the clone, whose settings of uv are those of the lock files.
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, "."], cwd=folder, check=True)
    command = [uv, "pip", "install", "-q", "-p", ".", "--reinstall-package", "breweries-lake"]
    subprocess.run([*command, f"{ROOT}[sql]"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def packages(environment) -> dict[str, Distribution]:
    places = [str(place) for place in environment.glob("lib/python*/site-packages")]
    return {one.name: one for one in distributions(path=places)}


@pytest.fixture
def call(past, environment, tmp_path):
    """Calls the environment's Python in a folder whose .env has the settings of the lake."""
    settings = {name: value for name, value in os.environ.items() if SETTING.match(name)}
    lines = [f"{name}={value}\n" for name, value in settings.items()]
    (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
    others = {name: value for name, value in os.environ.items() if name not in settings}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [environment / "bin/python", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=others, capture_output=True, text=True)

    return call


def test_the_package_has_what_reads_and_brings_neither_mage_nor_what_draws(packages):
    files = {str(file) for file in packages["breweries-lake"].files if "dist-info" not in str(file)}
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/breweries/location_aliases.csv"} <= files
    assert not [file for file in files if BLOCKS.search(file) or file[0] == "."]
    outer = {file for file in files if file.count("/") == 1 and ".pyc" not in file}
    assert outer == {f"{PACKAGE}/__init__.py", f"{PACKAGE}/py.typed"}
    assert not packages.keys() & {"mage-ai", "matplotlib", "pandas", "seaborn", "distributed"}
    assert len(packages) < 30


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_document_s_program_runs_as_a_file(call, tmp_path, program):
    (tmp_path / "reads.py").write_text(program, encoding="utf-8")
    done = call("reads.py")
    assert done.returncode == 0 and done.stdout, done.stderr


def test_the_code_has_the_version_of_the_clone_and_rebuilds_what_it_published(call, past):
    published, was = past.manifests[-1]["silver/breweries"], past.manifests[0]["silver/breweries"]
    done = call(
        "-c",
        f"from {PACKAGE}.medallion import read\n"
        f"from {PACKAGE}.medallion.lake.manifest import code_version\n"
        f"print(code_version('{PACKAGE}.breweries'))\n"
        f"print(len(read.table('silver/breweries', at='{was.run}')))",
    )
    assert done.stdout.split() == [published.code_version, str(was.rows_out)], done.stderr


def test_the_command_answers_and_names_no_place_of_the_installation(call, environment):
    refused = f"There is no flow 'buoys'; choose one of {', '.join(project.names())}."
    for flow, says in (("breweries", "57"), ("buoys", refused)):
        asked = ("sql", "--flow", flow, "--query", "SELECT count(*) FROM silver")
        done = call("-m", f"{PACKAGE}.medallion.read", *asked)
        printed = done.stdout + done.stderr
        assert says in printed and str(environment) not in printed, printed
