"""Reads the lake from the command line: SQL, versions, changes and a check."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from .. import reader_commands
from ..errors import MedallionError
from ..flow import Flow
from ..host.command import run, say
from ..host.console import show_messages
from ..lake.lake import Lake
from ..project import load, load_all
from ..settings import LakeSettings, known_secrets
from .errors import Refused

FIRST = 20  # rows of each kind of change


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 if it failed, or if a check found something."""
    return run(partial(_do, arguments))


def _do(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    reader_commands.add(parser.add_subparsers(required=True))
    chosen = parser.parse_args(arguments)
    try:
        return answer(chosen)
    except MedallionError as error:
        say(known_secrets().text(str(error)))
        return 1


def answer(chosen: argparse.Namespace) -> int:
    """Do the chosen one of `reader_commands`; returns 1 if a check found something, else 0."""
    show_messages("stderr")
    do, lake, flow = COMMANDS[chosen.command], Lake.connect(LakeSettings.load()), load(chosen.flow)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: say(message)
        try:
            return int(bool(do(lake, flow, chosen)))
        except ModuleNotFoundError as error:
            library, name = error.name, chosen.command
            raise Refused(
                f"{name} needs {library}, which is not installed here; pip install {library}, or "
                f"make {name}, installs it"
            ) from None


def _sql(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from .sql import FORMATS, Database

    terminal, typed = sys.stdout.isatty(), sys.stdin.isatty() and not chosen.query
    form = _format(chosen, FORMATS, "table" if terminal else "csv")
    if form == "parquet" and terminal:
        send = "send it to a file: make -s sql ... > file.parquet"
        raise Refused(f"{form} is no text for a terminal; {send}")
    with Database(lake, load_all(), flow, chosen.at or None) as database:
        if terminal and typed:
            from .prompt import talk

            talk(partial(database.answer, form=form), database.words)
            return
        if typed:
            say("Type SQL; Ctrl-D ends it.")
        database.answer(chosen.query or sys.stdin.read(), form)


def _format(chosen: argparse.Namespace, known: Collection[str], default: str) -> str:
    form = str(chosen.format or default).lower()
    if form not in known:
        raise Refused(f"{form!r} is no format of this command; choose one of {', '.join(known)}")
    return form


def _versions(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from .past import versions

    if _format(chosen, ("table", "json"), "table") == "json":
        listed = [asdict(one) for one in versions(lake, flow)]
        print(json.dumps(listed, default=str, indent=1))
        return
    counts = ("records", "added", "removed", "moved", "recategorized", "changed")
    wide = {name: max(10, len(name) + 2) for name in counts}
    heads = "".join(f"{name:>{width}}" for name, width in wide.items())
    print(f"{'version':>7}  {'published (UTC)':20}{'run':24}{heads}")
    before = 0
    for one in versions(lake, flow):
        for number in range(before + 1 if before else one.version, one.version):
            print(f"{number:>7}  lost: its log entry was damaged")
        before = one.version
        numbers = "".join(f"{getattr(one, name):>{width},}" for name, width in wide.items())
        notes = [word for word in ("replay", "current") if getattr(one, word)]
        moment = f"{one.published_at:%Y-%m-%d %H:%M:%S}"
        print(f"{one.version:>7}  {moment:20}{one.run:24}{numbers}  {', '.join(notes)}".rstrip())


def _changes(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from ..layers.silver.changes import to_json
    from .past import changes

    form = _format(chosen, ("text", "json"), "text")
    report = changes(lake, flow, chosen.start or None, chosen.end or None)
    if form == "json":
        sys.stdout.write(to_json(report).decode())
        return
    counts, before, columns = report.get("counts", {}), report.get("before"), flow.table.columns
    print(f"{flow.silver.path}, from {before or 'nothing'} to {report['snapshot']}")
    if not before and counts.get("added"):
        print("This is the first version, or the one before is not known: all rows count as added.")
    known = [column.name for column in columns if column.accepted_values is not None]
    kinds = {
        "added": "",
        "removed": "",
        "moved": f"to another {' or '.join(flow.table.partitions)}",
        "recategorized": f"another {' or '.join(known)}",
        "changed": "another value in some other column",
    }
    for kind, meaning in kinds.items():
        print(f"  {kind:14}{counts.get(kind, 0):>10,}  {meaning}".rstrip())
    for kind in filter(report.get, kinds):
        print(f"\n{kind}:")
        for row in report[kind][:FIRST]:
            _print_row(row)
        if more := counts[kind] - len(report[kind][:FIRST]):
            print(f"  and {more:,} more")
    if any(counts.get(kind, 0) > FIRST for kind in kinds):
        every = "FORMAT=json lists the first 1,000 rows of each kind"
        print(f"\n{every}; make sql AT=<run> has all rows of a version.")


def _print_row(row: Mapping[str, Any]) -> None:
    """Print a row, and each of its values that changed."""
    dumps = partial(json.dumps, ensure_ascii=False)
    values = (value for name, value in row.items() if name not in ("from", "to"))
    # Without the quotes of a text, and escaped even so: it must not move a terminal's cursor.
    print("  " + ", ".join(dumps(v).strip('"') if isinstance(v, str) else dumps(v) for v in values))
    old = row.get("from", {})
    for name, new in row.get("to", {}).items():
        if old[name] != new:  # reports of earlier releases list equal values too
            print(f"      {name}: {dumps(old[name])} -> {dumps(new)}")


def _check(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> bool:
    from .check import check

    form = _format(chosen, ("table", "json"), "table")
    flows, listed = load_all(), lake.store.listed
    here = [one for one in flows if any(listed(d.layer, d.prefix) for d in one.datasets)] or [flow]
    checked, others = check(lake, here)
    findings = [*chain.from_iterable(found for *_, found in checked), *others]
    if form == "json":
        print(json.dumps(findings, indent=1, ensure_ascii=False))
        return bool(findings)
    print(f"{'':28}{'rows':>11}{'objects':>9}{'MiB':>9}  snapshot")
    for dataset, manifest, found in checked:
        objects = manifest.objects if manifest else ()
        size = sum(entry.bytes for entry in objects) / 2**20
        counts = f"{manifest.rows_out if manifest else 0:>11,}{len(objects):>9,}{size:>9,.1f}"
        verdict = f"{len(found)} found" if found else "ok"
        snapshot = manifest.snapshot if manifest else "none"
        print(f"{dataset.path:28}{counts}  {snapshot:24} {verdict}")
    idle = [f"{one.name:28}never ran in this lake" for one in flows if one not in here]
    verdict = f"{len(findings)} findings" if findings else "The lake is whole."
    print("\n".join([*idle, *findings, verdict]))
    return bool(findings)


def _export(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from . import export

    file = Path(chosen.to or f"exports/{flow.name}.{chosen.format or 'duckdb'}")
    form = _format(chosen, export.FORMATS, file.suffix.removeprefix("."))
    if chosen.overwrite in {"", "0"} and file.exists():
        raise Refused(
            f"{file} is there already; name another by TO=, or replace it with OVERWRITE=1"
        )
    found = export.tables_of(lake, flow, form, chosen.table, chosen.at or None)
    notes = export.write(flow, found, file, form)
    for path, rows in found.items():
        version, run = (rows.schema.metadata[name].decode() for name in (b"version", b"run"))
        print(f"{path:28}{len(rows):>11,} rows, version {version} of the run {run}")
    print("\n".join([*notes, f"{file}  {file.stat().st_size:,} bytes"]))


COMMANDS: Mapping[str, Callable[[Lake, Flow, argparse.Namespace], bool | None]] = {
    "sql": _sql,
    "versions": _versions,
    "changes": _changes,
    "export": _export,
    "check": _check,
}


if __name__ == "__main__":
    sys.exit(main())
