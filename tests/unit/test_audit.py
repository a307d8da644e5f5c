import json
import subprocess
from pathlib import Path

import pytest

from tests import audit

LOCK = """\
made-up==1.5.0 \\
    --hash=sha256:00
    # via other
other==2.0 ; python_full_version < '3.11' \\
    --hash=sha256:00
other==3.0 ; python_full_version >= '3.11' \\
    --hash=sha256:00
"""
VULNERABILITY = {
    "id": "PYSEC-2026-1", "aliases": ["CVE-2026-1", "GHSA-a-b-c"], "fix_versions": ["1.6", "2.1"]
}  # fmt: skip
FOUND = {"name": "made-up", "version": "1.5.0", "vulns": [VULNERABILITY]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one lock in place of three, that accepts nothing."""
    for name in audit.LOCKS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(LOCK)
    (tmp_path / audit.ACCEPTED).touch()
    monkeypatch.setattr(audit, "PROJECT", tmp_path)
    return tmp_path


@pytest.fixture
def answer(monkeypatch):
    """Lets pip-audit say this; what it was asked about, run by run."""

    def said(stdout="", stderr="", status=0):
        asked = []

        def pip_audit(command, **_):
            asked.append(Path(command[-1]).read_text().split())
            return subprocess.CompletedProcess(command, status, stdout, stderr)

        monkeypatch.setattr(audit.subprocess, "run", pip_audit)
        return asked

    return said


@pytest.fixture
def asked(project, answer):
    """What is asked of a service that knows one vulnerability."""
    return answer(json.dumps({"dependencies": [FOUND], "fixes": []}), status=1)


def accept(project, name="CVE-2026-1", version="1.5.0", package="made-up"):
    """Add an accepted finding."""
    with (project / audit.ACCEPTED).open("a") as file:
        file.write(
            f'[[finding]]\nid = {json.dumps(name)}\npackage = "{package}"\n'
            f'version = "{version}"\nreason = "none"\n'
        )


def test_the_service_is_asked_about_every_version_and_a_finding_is_named(asked, capsys):
    assert audit.main() == 1
    assert asked == [["made-up==1.5.0", "other==2.0"], ["other==3.0"]]
    assert capsys.readouterr().out.startswith(
        "made-up 1.5.0: CVE-2026-1, fixed in 1.6, 2.1; tests/audit.toml does not list it.\n"
    )


@pytest.mark.parametrize(
    "name", ["PYSEC-2026-1", "CVE-2026-1", "GHSA-a-b-c", ["CVE-2026-9", "GHSA-a-b-c"]]
)
def test_a_finding_is_accepted_by_any_of_its_names(project, asked, name, capsys):
    accept(project, name)
    assert audit.main() == 0
    assert "Accepted: made-up 1.5.0: CVE-2026-1, fixed in 1.6, 2.1" in capsys.readouterr().out


@pytest.mark.parametrize("other", [{"version": "2.0", "package": "other"}, {"name": "CVE-2026-2"}])
def test_another_finding_is_not_accepted_with_it(project, asked, other):
    accept(project, **other)
    assert audit.main() == 1


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR:pip_audit._cli:made-up: Dependency not found on PyPI and could not be audited",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\nTip: another",
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='nowhere', port=443)",
        "pip_audit._service.interface.ServiceError",
        "error: Failed to fetch: `nowhere`\n  cause: Connection refused (os error 111)",
    ],
)
def test_a_service_out_of_reach_is_no_finding(project, answer, capsys, stderr):
    answer(stderr=stderr, status=1)
    assert audit.main() == 3
    said = f"The advisory service cannot be reached: {stderr.splitlines()[0]}\n"
    assert capsys.readouterr().out == said


def test_an_entry_of_a_version_that_is_locked_no_more_is_stale(project, answer, capsys):
    answer(stderr="error: Failed to fetch", status=2)
    accept(project, version="1.4.0")
    assert audit.main() == 1
    assert capsys.readouterr().out.startswith(
        "tests/audit.toml accepts CVE-2026-1 of made-up 1.4.0: locked no more.\n"
    )


def test_another_failure_of_pip_audit_is_not_taken_for_that(project, answer):
    answer(stderr="usage: ...\npip-audit: error: unrecognized arguments", status=2)
    with pytest.raises(SystemExit, match=r"^pip-audit failed: pip-audit: error: unrecognized"):
        audit.main()


def test_the_lock_files_are_read_whole():
    pins = audit.locked([audit.PROJECT / audit.LOCKS[0]])
    lines = (audit.PROJECT / audit.LOCKS[0]).read_text().splitlines()
    assert len(pins) == sum(line[:1].isalnum() for line in lines)
    assert pins < audit.locked(audit.PROJECT / lock for lock in audit.LOCKS)


def test_every_accepted_finding_has_a_reason_and_is_locked():
    entries = audit.accepted(audit.PROJECT / audit.ACCEPTED)
    pins = audit.locked(audit.PROJECT / lock for lock in audit.LOCKS)
    assert list(audit.stale(entries, pins)) == []
    assert all({*entry} == {"id", "package", "version", "reason"} for entry in entries)
