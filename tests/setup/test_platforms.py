"""Every machine that README names finds a wheel of each package that the lock files hold."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

UV = Path(sys.executable).with_name("uv")
PLATFORMS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-apple-darwin")
USUAL = {("3.10", PLATFORMS[0]), ("3.12", PLATFORMS[1]), ("3.11", PLATFORMS[2])}


@pytest.mark.parametrize(
    ("version", "platform"),
    [
        pytest.param(*pair, marks=() if pair in USUAL else pytest.mark.slow)
        for pair in product(("3.10", "3.11", "3.12"), PLATFORMS)
    ],
)
def test_no_package_is_built(tmp_path, version, platform):
    command = [UV, "pip", "install", "--dry-run", "--only-binary", ":all:", "--target", tmp_path]
    chosen = [f"--python-platform={platform}", f"--python-version={version}"]
    lock = ["--requirements", "tests/requirements.lock"]
    done = subprocess.run(
        [*command, *chosen, *lock], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
