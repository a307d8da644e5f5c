"""What the repository holds: texts, pictures that show what is there, and triggers of no secret."""

import subprocess

import pytest
import yaml

from data.breweries.flow import FLOW
from image.words import WORDS, digest, shown
from tests.docs.code import CODE
from tests.docs.pages import ROOT, page


def test_nothing_but_texts_and_pictures_is_kept():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: git clone the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    kept = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    binary = [path for path in kept if path.is_file() and b"\0" in path.read_bytes()]
    assert {(path.parent, path.suffix) for path in binary} == {(ROOT / "image", ".png")}


@pytest.mark.parametrize("picture", WORDS)
def test_the_words_of_a_picture_are_those_of_the_code(picture):
    remedy = "make bench" if picture == "performance.png" else "make images"
    assert shown(picture) == digest(picture), f"run {remedy}"


def test_the_readme_and_the_drawing_of_the_flow_name_every_block_and_object():
    readme, drawn = page("README.md"), CODE[ROOT / "image/flow.svg"]
    keys = {key for d in FLOW.datasets for key in (d.object, *d.sidecars) if key}
    blocks = {dataset.block for dataset in FLOW.datasets}
    assert len(keys) == 6 and all(key in readme.text for key in keys)
    assert blocks <= set(readme.names)
    assert all(name in drawn for name in {key.rpartition("/")[2] for key in keys} | blocks)


def test_the_triggers_hold_no_token_and_only_the_stack_starts_them():
    triggers = yaml.safe_load(CODE[ROOT / "data/pipelines/breweries/triggers.yaml"])["triggers"]
    assert {trigger["name"] for trigger in triggers} == {"daily", "on_demand"}
    starting = [t for t in triggers if t["schedule_type"] == "time" and t["status"] == "active"]
    assert [trigger["envs"] for trigger in starting] == [["prod"]]
    assert "ENV=prod" in CODE[ROOT / "Dockerfile"]
    assert not any("token" in trigger for trigger in triggers)
