"""docs/make-it-yours.md, followed word by word on a copy of the repository."""

import io
import json
import os
import random
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from minio import Minio

from sandbox.store import embedded_store

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "make-it-yours.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
MUSEUMS = 523
REGIONS = [
    ("Brazil", "Bahia"),
    ("Brazil", "São Paulo"),
    ("Portugal", "Lisboa"),
    ("France", "Corse"),
]


def files() -> list[str]:
    """What a clone would hold, with what is not committed yet."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted({name for name in told.split("\0") if name and (ROOT / name).is_file()})


@pytest.fixture
def clone(tmp_path):
    for name in files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to((ROOT / ".venv").resolve())
    for command in ("init -q", "add -A", "-c user.name=me -c user.email=me@here commit -qm All"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def shell(folder: Path, script: str) -> str:
    ours = ("MINIO_", "BREWERIES_", "MUSEUMS_", "DASK_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def museums() -> list[dict]:
    rng = random.Random(7)
    (example,) = (json.loads(text) for language, text in BLOCKS if language == "json")
    found = []
    for number in range(1, MUSEUMS + 1):
        country, region = rng.choice(REGIONS)
        category = rng.choice(["art", "Art", "history", "science", "nature", None])
        told = {"id": number, "title": f"Museum {number}", "category": category}
        place = {**example["place"], "region": region, "country": country}
        found.append({**example, **told, "place": place})
    return found


def follow(folder: Path, language: str, text: str) -> str:
    if language == "bash":
        return shell(folder, text)
    if language == "diff":
        done = subprocess.run(["git", "apply", "-"], cwd=folder, input=text, text=True)
        assert done.returncode == 0, text
    if language == "python" and (file := re.fullmatch(r"# (\S+)\n(.*)", text, re.DOTALL)):
        (folder / file[1]).write_text(file[2], encoding="utf-8")
    return ""


def test_the_guide_leads_to_a_pipeline_of_museums(clone):
    sample = museums()
    (clone / "sample.json").write_text(json.dumps(sample, ensure_ascii=False), encoding="utf-8")
    names, *steps = [block for block in BLOCKS if block[0] in {"bash", "diff", "python"}]

    follow(clone, *names)
    assert not [name for name in shell(clone, "git ls-files").split() if "brewer" in name]
    assert " passed" in shell(clone, "make test-fast")  # as the guide says, before the next step

    printed = "".join(follow(clone, *step) for step in steps)
    assert re.search(rf"bronze/museums +{MUSEUMS}\b", printed)
    assert (clone / "data" / "visualizations" / "museums_aggregated.png").is_file()
    with embedded_store(clone / ".sandbox" / "demo") as store:
        keys = store["MINIO_ACCESS_KEY"], store["MINIO_SECRET_KEY"]
        lake = Minio(store["MINIO_ENDPOINT"], *keys, secure=False)
        key = "data/state_museum_type/museums_aggregated.parquet"
        gold = pd.read_parquet(io.BytesIO(lake.get_object("gold", key).read()))
    counted = {
        (row.country, row.state, row.museum_type): row.museum_count for row in gold.itertuples()
    }
    told = Counter(
        (one["place"]["country"], one["place"]["region"], (one["category"] or "").lower() or None)
        for one in sample
    )
    assert counted == told


def test_the_guide_changes_as_many_files_as_it_says():
    changed = {name for kind, text in BLOCKS for name in re.findall(r"^\+\+\+ b/(\S+)", text, re.M)}
    changed |= {name for kind, text in BLOCKS for name in re.findall(r"^# (data/\S+)", text)}
    changed |= {name for kind, text in BLOCKS for name in re.findall(r"> (data/\S+)", text)}
    assert "nine files" in GUIDE
    assert len(changed) == 9
