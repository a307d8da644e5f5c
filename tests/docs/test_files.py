"""What the repository holds: texts, and the pictures of image/."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from data.breweries.flow import FLOW
from image.words import WORDS, digest, shown
from tests.docs.code import CODE
from tests.docs.pages import ROOT


def test_nothing_but_texts_and_pictures_is_kept():
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: git clone the repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    kept = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    binary = [path for path in kept if path.is_file() and b"\0" in path.read_bytes()]
    assert binary
    assert [path for path in binary if not _is_picture(path)] == []


def _is_picture(path: Path) -> bool:
    return path.parent == ROOT / "image" and path.suffix == ".png"


@pytest.mark.parametrize("picture", WORDS)
def test_the_words_of_a_picture_are_those_of_the_code(picture):
    remedy = "make bench" if picture == "performance.png" else "make images"
    assert shown(picture) == digest(picture), f"run {remedy}"


def test_the_drawing_of_the_flow_names_every_block_and_object():
    drawn = CODE[ROOT / "image/flow.svg"]
    names = {
        key.rpartition("/")[2] for d in FLOW.datasets for key in (d.object, *d.sidecars) if key
    }
    assert [n for n in {*names, *(d.block for d in FLOW.datasets)} if n not in drawn] == []
