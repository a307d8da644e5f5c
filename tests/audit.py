"""Known vulnerabilities of what the lock files hold, but for those that audit.toml accepts.

Exit status: 0 none, 1 some or an accepted one out of date, 3 the service cannot be reached.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[1]
# What the image holds, and two supersets.
LOCKS = ("requirements.lock", "sandbox/requirements.lock", "tests/requirements.lock")
ACCEPTED = "tests/audit.toml"
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", re.MULTILINE)
# uv runs it apart, so that its own packages are not among those that are audited.
PIP_AUDIT = "uv tool run pip-audit==2.10.1 --no-deps --disable-pip --strict --format=json"
# What uv and pip-audit say where they get no answer, or none to be believed.
NO_ANSWER = re.compile(
    r"not found on PyPI|vulnerability feed|ServiceError|requests\.exceptions"
    r"|Failed to fetch|error sending request|network was disabled|was not found in the"
)
Pins = set[tuple[str, str]]


class Finding(NamedTuple):
    """One vulnerability of one locked version, by all its names."""

    package: str
    version: str
    ids: frozenset[str]
    fixed: str

    def __str__(self) -> str:
        """Package, version, the name known best, and the versions that mend it."""
        name = min(self.ids, key=lambda name: (not name.startswith("CVE-"), name))
        return f"{self.package} {self.version}: {name}, fixed in {self.fixed or 'no version'}"


def main() -> int:
    """Audit and print; the exit status says how it went."""
    pins = locked(PROJECT / lock for lock in LOCKS)
    entries = accepted(PROJECT / ACCEPTED)
    problems = list(stale(entries, pins))
    try:
        found = list(from_service(pins))
    except ConnectionError as error:
        print(*problems, f"The advisory service cannot be reached: {error}", sep="\n")
        return 1 if problems else 3
    problems += unlisted(found, entries)
    summary = f"{len(pins)} packages, {len(found)} known vulnerabilities, {len(problems)} problems"
    print(*(problems or [f"Accepted: {finding}" for finding in found]), summary, sep="\n")
    return int(bool(problems))


def locked(locks: Iterable[Path]) -> Pins:
    """Every package and version of the lock files, whatever Python or system it is for."""
    return {pin for lock in locks for pin in PIN.findall(lock.read_text())}


def accepted(path: Path) -> list[dict[str, Any]]:
    """The accepted findings; `id` is one name, or a list of several with the same reason."""
    entries = tomllib.loads(path.read_text()).get("finding", [])
    return [{**e, "id": [e["id"]] if isinstance(e["id"], str) else e["id"]} for e in entries]


def stale(entries: Iterable[Mapping[str, Any]], pins: Pins) -> Iterator[str]:
    """A sentence for each entry whose version is locked no more."""
    for e in entries:
        if (e["package"], e["version"]) not in pins:
            ids = ", ".join(e["id"])
            yield f"{ACCEPTED} accepts {ids} of {e['package']} {e['version']}: locked no more."


def unlisted(found: Iterable[Finding], entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each finding that no entry accepts."""
    known = {(e["package"], e["version"], name) for e in entries for name in e["id"]}
    for one in found:
        if not any((one.package, one.version, name) in known for name in one.ids):
            yield f"{one}; {ACCEPTED} does not list it."


def from_service(pins: Pins) -> Iterator[Finding]:
    """What the advisory service knows, by pip-audit; no answer is a ConnectionError."""
    versions: dict[str, list[str]] = {}
    for package, version in sorted(pins):
        versions.setdefault(package, []).append(f"{package}=={version}\n")
    # It refuses two versions of a package, which locks for several Pythons hold: one run for each.
    for lines in zip_longest(*versions.values(), fillvalue=""):
        yield from pip_audit("".join(lines))


def pip_audit(requirements: str) -> Iterator[Finding]:
    """One run of pip-audit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "requirements.txt")
        path.write_text(requirements)
        command = [sys.executable, "-m", *PIP_AUDIT.split(), "--requirement", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        if unanswered := [line for line in said if NO_ANSWER.search(line)]:
            raise ConnectionError(unanswered[-1])
        raise SystemExit(f"pip-audit failed: {said[-1]}")
    for package in json.loads(done.stdout)["dependencies"]:
        for one in package["vulns"]:
            ids = frozenset([one["id"], *one["aliases"]])
            yield Finding(package["name"], package["version"], ids, ", ".join(one["fix_versions"]))


if __name__ == "__main__":
    sys.exit(main())
