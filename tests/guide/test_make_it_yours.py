"""docs/make-it-yours.md, followed word by word on a copy of the repository."""

import io
import json
import random
import re
import shutil
import subprocess
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pytest
import yaml

from data.breweries.flow import FLOW as BREWERIES
from sandbox import ROOT
from sandbox.store import embedded_store
from tests.compose.stack import copy
from tests.programs import environment
from tests.security.conftest import client

pytestmark = pytest.mark.waits

GUIDE = (ROOT / "docs" / "make-it-yours.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
*STEPS, WITHOUT, NEWER = (block for block in BLOCKS if block[0] in {"bash", "python"})
CHANGES = {
    first: re.findall(r"`([^`]+)`", what)
    for first, _, what in re.findall(r"^\| ([^|]+) \| ([^|]+) \| (.+) \|$", GUIDE, re.MULTILINE)
}
"""Each small change to what the guide says of it."""

QUAKES = 523
FLOW = Path("data", "quakes")


@pytest.fixture(scope="module")
def printed(clone):
    return "".join(read_current(clone, *step) for step in STEPS)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clone")
    copy(folder, ())
    (folder / ".venv").symlink_to((ROOT / ".venv").resolve())
    git = "git init -qb main; git config user.name me; git config user.email me@here"
    shell(folder, f"{git}; git add -A; git commit -qm All")
    sample = json.dumps(quakes(), ensure_ascii=False)
    (folder / "sample.json").write_text(sample, encoding="utf-8")
    return folder


def quakes() -> list[dict]:
    rng = random.Random(7)
    (page,) = (json.loads(text) for language, text in BLOCKS if language == "json")
    (example,) = page["results"]
    start = datetime(2025, 11, 1, tzinfo=timezone.utc)
    found = []
    for number in range(1, QUAKES + 1):
        time = start + timedelta(minutes=rng.randrange(300_000))
        strength = rng.choice([None, round(rng.uniform(1, 8), 1)])
        properties = {**example["properties"], "mag": strength, "depth": rng.random()}
        told = {"id": number, "time": time.isoformat(), "reviewed": rng.random() < 0.5}
        found.append({**example, **told, "properties": properties})
    return found


def shell(folder: Path, script: str, **more: str) -> str:
    ours = ("MINIO_", "BREWERIES_", "LAKE_", "DASK_")
    theirs = environment()
    settings = {name: value for name, value in theirs.items() if not name.startswith(ours)}
    settings["PYTEST_ADDOPTS"] = "--ignore=tests/unit -k TestQuakes"  # the others take long
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**settings, **more},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def read_current(folder: Path, language: str, text: str) -> str:
    if language == "bash":
        return shell(folder, text)
    file, content = re.fullmatch(r"# (\S+)\n(.*)", text, re.DOTALL).groups()
    (folder / file).write_text(content, encoding="utf-8")
    return ""


def tables(folder: Path, prefix: str = "") -> dict[str, pd.DataFrame]:
    """Every object of gold that is a table, by key."""
    bucket = f"{prefix}gold"
    with embedded_store(folder / ".sandbox" / "demo") as settings:
        store = client(settings)
        keys = [found.object_name for found in store.list_objects(bucket, recursive=True)]
        contents = {
            key: store.get_object(bucket, key).read() for key in keys if key.endswith(".parquet")
        }
    return {key: pd.read_parquet(io.BytesIO(content)) for key, content in contents.items()}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    found = re.sub(old, lambda _: new, text, count=1, flags=re.MULTILINE)
    assert found != text, f"{file} has no {old}"
    file.write_text(found, encoding="utf-8")


def demo(folder: Path) -> str:
    return shell(folder, "make demo FLOW=quakes")


def test_the_guide_leads_to_a_second_source(clone, printed):
    assert re.search(rf"bronze/quakes +{QUAKES}\b", printed)
    assert " passed" in printed
    assert not shell(clone, "git diff --name-only"), "something outside of the folder was touched"
    added = shell(clone, "git ls-files --others --exclude-standard").split()
    assert all("quakes" in name for name in added if name != "sample.json")
    shell(clone, ".venv/bin/ruff check data tests && .venv/bin/ruff format --check data tests")

    gold = tables(clone)["data/quakes_by_month/quakes_aggregated.parquet"]
    strengths = defaultdict(list)
    for quake in quakes():
        time = datetime.fromisoformat(quake["time"])
        strengths[time.year, time.month].append(quake["properties"]["mag"])
    assert [(row.year, row.month) for row in gold.itertuples()] == sorted(strengths)
    for row in gold.itertuples():
        known = [value for value in strengths[row.year, row.month] if value is not None]
        assert row.quakes == len(strengths[row.year, row.month])
        assert row.mean_magnitude == pytest.approx(sum(known) / len(known))
        assert row.strongest == max(known)
    assert (clone / "data" / "visualizations" / "quakes_aggregated.png").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("printed")
def test_its_token_is_asked_for_and_sent(clone):
    shell(clone, "make demo FLOW=quakes", QUAKES_API_TOKEN="a-token")


@pytest.mark.slow
@pytest.mark.usefixtures("printed")
def test_small_changes_of_the_folder(clone):
    flow, table = clone / FLOW / "flow.py", clone / FLOW / "table.py"
    for change in ("one more field", "a boolean"):
        (column,) = CHANGES[change]
        edit(table, r"^    \),\n    partitions", f"        {column}\n    ),\n    partitions")
    edit(table, r"partitions=.*,$", *CHANGES["another partition"])
    second, named = CHANGES["a second gold table"]
    with (clone / FLOW / "gold.py").open("a", encoding="utf-8") as file:
        file.write(f"\n{second}\n")
    edit(flow, r"aggregates=.*,$", named)
    edit(flow, r"import BY_MONTH$", "import BY_MONTH, BY_PLACE")
    edit(flow, r"chart=.*,$", *CHANGES["the chart as SVG too"])
    printed = demo(clone)
    assert re.search(rf"silver/quakes +{QUAKES} +2 ", printed), "two years"
    assert "every row is accounted for" in printed
    (row,) = tables(clone)["data/quakes_by_place/quakes_aggregated.parquet"].itertuples()
    assert row.quakes == QUAKES
    picture = clone / "data" / "visualizations" / "quakes_aggregated.svg"
    assert picture.read_text().startswith("<?xml")


@pytest.mark.usefixtures("printed")
def test_another_schedule(clone):
    triggers = clone / "data" / "pipelines" / "quakes" / "triggers.yaml"
    edit(triggers, r"schedule_interval: '@daily'$", *CHANGES["another schedule"])
    assert yaml.safe_load(triggers.read_text())["triggers"][0]["schedule_interval"] == "@hourly"


@pytest.mark.slow
@pytest.mark.usefixtures("printed")
def test_settings_that_are_small_changes(clone):
    (days,), (prefix,) = CHANGES["90 days of history"], CHANGES["buckets of other names"]
    (clone / ".env").write_text(f"{days}\n{prefix}\n")
    demo(clone)
    (clone / ".env").unlink()
    assert "data/quakes_by_month/quakes_aggregated.parquet" in tables(clone, "acme-")


def test_every_small_change_is_tried():
    # tests/lake/test_buckets.py, tests/flows/breweries/test_texts.py
    elsewhere = {"a store on AWS", "a bucket's name in the host"}
    elsewhere |= {"the chart in the language of the page"}
    tried = (
        "one more field", "a boolean", "another partition", "a second gold table",
        "the chart as SVG too", "another schedule", "90 days of history", "buckets of other names",
    )  # fmt: skip
    assert CHANGES.keys() - {"you want", "---"} == {*tried, *elsewhere}


@pytest.mark.slow
def test_a_new_flow_runs_at_once_and_passes_lint(clone):
    written = shell(clone, "make dataset NAME=stations").splitlines()
    assert re.search(r"silver/stations +60\b", shell(clone, "make demo FLOW=stations"))
    assert "Contracts: 6 kept, 0 broken" in shell(clone, "make lint")
    (folder,) = (line.strip() for line in written if line.endswith("stations/flow.py"))
    assert (clone / folder).is_file()
    for name in ("[A-Z]x", BREWERIES.name, "lambda"):
        with pytest.raises(AssertionError, match=r"No flow can be called|is there already"):
            shell(clone, f"make dataset NAME='{name}'")


FAST = ".venv/bin/ruff check .; .venv/bin/lint-imports --no-cache; make demo; make test-fast"


@pytest.mark.usefixtures("printed")
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_breweries_can_go_and_a_newer_release_can_come(clone, tmp_path, whole):
    """In whole, or with what is fast in place of make test and lint, and once.

    The release adds a comment, so that what was tried before it holds after it.
    """

    def followed(block, fast=""):
        if whole:
            return shell(mine, block[1], PYTEST_ADDOPTS="")
        return shell(mine, re.sub(r"(?m)^make .*\n", "", block[1]) + fast)

    mine, release = tmp_path / "mine", tmp_path / "release"
    shutil.copytree(clone, mine, symlinks=True)
    shell(mine, f"git clone -q . {release}; git add -A; git commit -qm Quakes")
    printed = followed(WITHOUT, FAST)
    assert re.search(rf"bronze/quakes +{QUAKES}\b", printed) and " passed" in printed
    shell(mine, "git commit -qam 'Without the breweries'")

    blocks = [f"data/*/{dataset.block}.py" for dataset in BREWERIES.datasets]
    shell(release, f"sed -i.bak '$a # newer' Makefile data/breweries/api.py {' '.join(blocks)}")
    shell(release, "rm -r *.bak data/*/*.bak; touch data/breweries/more.py; git add -A")
    shell(release, "git -c user.name=me -c user.email=me@here commit -qm Newer")
    shell(mine, f"git remote add upstream {release}")
    assert "modify/delete" in followed(NEWER)
    assert not shell(mine, "git status --porcelain; git ls-files '*breweries*'")
    assert shell(mine, "git diff --name-only HEAD~") == "Makefile\n"
