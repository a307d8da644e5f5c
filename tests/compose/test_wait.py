"""What `make zabbix` says at its end. A script plays Zabbix, whose images need not be here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

WAIT = Path(__file__).parents[2] / "compose" / "wait.sh"
DOCKER = """#!/bin/sh
case "$*" in
  wait*) echo {status} ;;
  *zabbix-web) echo "stopped the page" ;;
  *logs*) echo "what the set-up said" ;;
esac
"""


@pytest.mark.parametrize("status", [0, 1])
def test_it_says_that_zabbix_is_there_only_if_it_was_set_up(tmp_path, status):
    (tmp_path / "compose").mkdir()
    shutil.copy(WAIT, tmp_path / "compose")
    (tmp_path / ".env").write_text("ZABBIX_PORT=8080\n")
    docker = tmp_path / "docker"
    docker.write_text(DOCKER.format(status=status))
    docker.chmod(0o755)
    done = subprocess.run(
        ["sh", "compose/wait.sh", "docker", "zabbix"],
        cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert "what the set-up said" in done.stdout
    assert ("Zabbix           http://127.0.0.1:8080" in done.stdout) == (status == 0)
    assert ("Zabbix is not set up" in done.stderr) == (status == 1)
    assert ("stopped the page" in done.stdout) == (status == 1)
