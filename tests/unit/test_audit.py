import json
import subprocess
import textwrap
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


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one lock in place of three, that accepts nothing."""
    for name in audit.LOCKS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(LOCK)
    (tmp_path / audit.ACCEPTED).touch()
    (tmp_path / "vulns").mkdir()
    monkeypatch.setattr(audit, "PROJECT", tmp_path)
    return tmp_path


def advise(project, package="made-up", affected="", extra="", name="PYSEC-2026-1"):
    """Put an advisory into the project's copy of the database."""
    folder = project / "vulns" / package
    folder.mkdir(exist_ok=True)
    text = (
        f"id: {name}\nmodified: 2026-01-02T03:04:05Z\naliases:\n- CVE-2026-1\n- GHSA-a-b-c\n{extra}"
    )
    text += f"affected:\n- package:\n    ecosystem: PyPI\n    name: {package}\n"
    (folder / f"{name}.yaml").write_text(text + textwrap.indent(textwrap.dedent(affected), "  "))


def ranges(*events, kind="ECOSYSTEM"):
    """A range of an advisory, from its events."""
    lines = "".join(f"\n  - {event}" for event in events)
    return f"ranges:\n- type: {kind}\n  events:{lines}\n"


def accept(project, name="CVE-2026-1", version="1.5.0", package="made-up"):
    """Add an accepted finding."""
    with (project / audit.ACCEPTED).open("a") as file:
        file.write(
            f'[[finding]]\nid = {json.dumps(name)}\npackage = "{package}"\n'
            f'version = "{version}"\nreason = "none"\n'
        )


def run(project):
    return audit.main(["--advisories", str(project)])


@pytest.mark.parametrize(
    ("affected", "hit"),
    [
        (ranges('introduced: "0"', "fixed: 1.5.1"), True),
        (ranges('introduced: "0"', "fixed: 1.5.0"), False),
        (ranges("introduced: 1.5.0", "fixed: 1.10"), True),  # 1.10 is later than 1.5
        (ranges("introduced: 1.5.1"), False),
        (ranges('introduced: "0"'), True),
        (ranges('introduced: "0"', "last_affected: 1.5"), True),  # 1.5 is 1.5.0
        (ranges('introduced: "0"', "last_affected: 1.4.9"), False),
        (ranges('introduced: "0"', "fixed: 1.0", "introduced: 1.4", "fixed: 1.6"), True),
        (ranges("introduced: 1.4", 'introduced: "0"', "fixed: 1.6", "fixed: 1.0"), True),
        (ranges('introduced: "0"', kind="GIT"), False),
        ("versions:\n- 1.4.0\n- 1.5.0\n", True),
        ("versions:\n- 1.4.0\n", False),
    ],
)
def test_an_advisory_hits_the_versions_that_it_is_about(project, affected, hit):
    advise(project, affected=affected)
    assert run(project) == int(hit)


def test_each_version_that_is_locked_for_some_python_is_audited(project, capsys):
    advise(project, package="other", affected=ranges("introduced: 2.5"))
    assert run(project) == 1
    said = capsys.readouterr().out
    assert "other 3.0: CVE-2026-1" in said
    assert "other 2.0" not in said


def test_an_unlisted_finding_is_named_with_its_remedy(project, capsys):
    advise(project, affected=ranges('introduced: "0"', "fixed: 1.6"))
    assert run(project) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == (
        "made-up 1.5.0: CVE-2026-1, fixed in 1.6; tests/audit.toml does not list it."
    )
    assert said[1:] == [
        "3 packages, 1 known vulnerabilities, 1 problems",
        "The newest advisory of the checkout is of 2026-01-02.",
    ]


@pytest.mark.parametrize(
    "name", ["PYSEC-2026-1", "CVE-2026-1", "GHSA-a-b-c", ["CVE-2026-9", "GHSA-a-b-c"]]
)
def test_a_finding_is_accepted_by_any_of_its_names(project, name, capsys):
    advise(project, affected=ranges('introduced: "0"'))
    accept(project, name)
    assert run(project) == 0
    assert "Accepted: made-up 1.5.0: CVE-2026-1, fixed in no version" in capsys.readouterr().out


@pytest.mark.parametrize("other", [{"version": "2.0", "package": "other"}, {"name": "CVE-2026-2"}])
def test_another_finding_is_not_accepted_with_it(project, other):
    advise(project, affected=ranges('introduced: "0"'))
    accept(project, **other)
    assert run(project) == 1


def test_an_entry_of_a_version_that_is_locked_no_more_is_stale(project, capsys):
    accept(project, version="1.4.0")
    assert run(project) == 1
    assert capsys.readouterr().out.startswith(
        "tests/audit.toml accepts CVE-2026-1 of made-up 1.4.0: locked no more.\n"
    )


def test_a_withdrawn_advisory_counts_for_nothing(project):
    advise(project, affected=ranges('introduced: "0"'), extra="withdrawn: 2026-02-01T00:00:00Z\n")
    assert run(project) == 0


def test_a_folder_that_is_no_checkout_is_refused(project, tmp_path):
    with pytest.raises(SystemExit) as caught:
        audit.main(["--advisories", str(tmp_path / "sandbox")])
    assert caught.value.code == 2


def answer(monkeypatch, stdout="", stderr="", status=0):
    """Let pip-audit say this; what it was asked about, run by run."""
    asked = []

    def pip_audit(command, **_):
        asked.append(Path(command[-1]).read_text().split())
        return subprocess.CompletedProcess(command, status, stdout, stderr)

    monkeypatch.setattr(audit.subprocess, "run", pip_audit)
    return asked


def test_the_service_is_asked_about_every_version(project, monkeypatch, capsys):
    finding = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.6", "2.1"]}
    package = {"name": "made-up", "version": "1.5.0", "vulns": [finding]}
    asked = answer(monkeypatch, json.dumps({"dependencies": [package], "fixes": []}), status=1)
    assert audit.main([]) == 1
    assert asked == [["made-up==1.5.0", "other==2.0"], ["other==3.0"]]
    assert "made-up 1.5.0: CVE-2026-1, fixed in 1.6, 2.1; tests" in capsys.readouterr().out


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
def test_a_service_out_of_reach_is_no_finding(project, monkeypatch, capsys, stderr):
    answer(monkeypatch, stderr=stderr, status=1)
    assert audit.main([]) == 3
    said = f"The advisory service cannot be reached: {stderr.splitlines()[0]}\n"
    assert capsys.readouterr().out == said


def test_an_entry_is_stale_without_the_service_too(project, monkeypatch):
    answer(monkeypatch, stderr="error: Failed to fetch", status=2)
    accept(project, version="1.4.0")
    assert audit.main([]) == 1


def test_another_failure_of_pip_audit_is_not_taken_for_that(project, monkeypatch):
    answer(monkeypatch, stderr="usage: ...\npip-audit: error: unrecognized arguments", status=2)
    with pytest.raises(SystemExit, match=r"^pip-audit failed: pip-audit: error: unrecognized"):
        audit.main([])


def test_the_lock_files_are_read_whole():
    pins = audit.locked([audit.PROJECT / audit.LOCKS[0]])
    lines = (audit.PROJECT / audit.LOCKS[0]).read_text().splitlines()
    assert len(pins) == sum(line[:1].isalnum() for line in lines)
    assert pins < audit.locked(audit.PROJECT / lock for lock in audit.LOCKS)


def test_every_accepted_finding_has_a_reason_and_is_locked():
    entries = audit.accepted(audit.PROJECT / audit.ACCEPTED)
    assert (
        list(audit.stale(entries, audit.locked(audit.PROJECT / lock for lock in audit.LOCKS))) == []
    )
    for entry in entries:
        assert set(entry) == {"id", "package", "version", "reason"}
        assert len(entry["reason"].split()) > 8, entry
    names = [(entry["package"], name) for entry in entries for name in entry["id"]]
    assert len(names) == len(set(names))
    assert all(name.startswith(("CVE-", "GHSA-", "PYSEC-")) for _, name in names)
