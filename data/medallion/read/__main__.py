"""Reads the lake from the command line: SQL, versions, changes and a check."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

from ..errors import MedallionError
from ..flow import Flow
from ..flows import load, load_all
from ..host.command import run, say
from ..lake.versions import Lake
from ..settings import LakeSettings, known_secrets


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 1 if it failed, or if a check found something."""
    return run(partial(_do, arguments))


def _do(arguments: list[str] | None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: say(message)
            found = chosen.do(Lake.connect(LakeSettings.load()), load(chosen.flow), chosen)
            return int(bool(found))
    except MedallionError as error:
        say(known_secrets().text(str(error)))
        return 1


def _sql(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from .sql import Database

    with Database(lake, load_all(), flow, chosen.at or None) as database:
        if chosen.query or not sys.stdin.isatty():
            database.answer(chosen.query or sys.stdin.read())
        else:
            _talk(database.answer)


def _talk(answer: Callable[[str], None]) -> None:
    """Read queries from the terminal, up to each semicolon, and run them."""
    import readline  # noqa: F401 - makes input lines editable

    print("Views: bronze, silver, rejected, gold; SHOW ALL TABLES lists all. Ctrl-D ends.")
    text = ""
    while True:
        try:
            text += input("  ... " if text else "lake> ") + "\n"
        except EOFError:
            print()
            return
        if text.rstrip().endswith(";"):
            try:
                answer(text)
            except MedallionError as error:
                say(error)
            text = ""


def _versions(lake: Lake, flow: Flow, _: argparse.Namespace) -> None:
    from .past import versions

    counts = ("records", "added", "removed", "changed")
    print(f"{'version':>7}  {'published (UTC)':20}{'run':24}" + "".join(f"{c:>10}" for c in counts))
    before = 0
    for one in versions(lake, flow):
        for number in range(before + 1 if before else one.version, one.version):
            print(f"{number:>7}  lost: its log entry was damaged")
        before = one.version
        numbers = "".join(f"{getattr(one, name):>10,}" for name in counts)
        notes = [word for word in ("replay", "current") if getattr(one, word)]
        moment = f"{one.published_at:%Y-%m-%d %H:%M:%S}"
        print(f"{one.version:>7}  {moment:20}{one.run:24}{numbers}  {', '.join(notes)}".rstrip())


def _changes(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from ..layers.changes import to_json
    from .past import changes

    report = changes(lake, flow, chosen.start or None, chosen.end or None)
    sys.stdout.write(to_json(report).decode())


def _check(lake: Lake, flow: Flow, _: argparse.Namespace) -> bool:
    from .check import check

    flows, listed = load_all(), lake.store.listed
    here = [one for one in flows if any(listed(d.layer, d.prefix) for d in one.datasets)] or [flow]
    checked, others = check(lake, here)
    print(f"{'':28}{'rows':>11}{'objects':>9}{'MiB':>9}  snapshot")
    for dataset, manifest, found in checked:
        objects = manifest.objects if manifest else ()
        size = sum(entry.bytes for entry in objects) / 2**20
        counts = f"{manifest.rows_out if manifest else 0:>11,}{len(objects):>9,}{size:>9,.1f}"
        verdict = f"{len(found)} found" if found else "ok"
        snapshot = manifest.snapshot if manifest else "none"
        print(f"{dataset.path:28}{counts}  {snapshot:24} {verdict}")
    idle = [f"{one.name:28}never ran in this lake" for one in flows if one not in here]
    findings = [*chain.from_iterable(found for *_, found in checked), *others]
    verdict = f"{len(findings)} findings" if findings else "The lake is whole."
    print("\n".join([*idle, *findings, verdict]))
    return bool(findings)


def _export(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> None:
    from . import export

    file = Path(chosen.to or f"exports/{flow.name}.{chosen.format or 'duckdb'}")
    form = export.format_of(file, chosen.format)
    if chosen.overwrite in {"", "0"}:
        export.refuse_existing(file)
    found = export.tables_of(lake, flow, form, chosen.table, chosen.at or None)
    notes = export.write(flow, found, file, form)
    for path, rows in found.items():
        version, run = (rows.schema.metadata[name].decode() for name in (b"version", b"run"))
        print(f"{path:28}{len(rows):>11,} rows, version {version} of the run {run}")
    print("\n".join([*notes, f"{file}  {file.stat().st_size:,} bytes"]))


def _parser() -> argparse.ArgumentParser:
    at = "a day, a time with its zone, or a run"
    asked, start = "one query; by default those that you type", f"the earlier version: {at}"
    end = "the later version; by default the published one"
    table: dict[str, tuple[Callable[..., bool | None], str, dict[str, str]]] = {
        "sql": (_sql, "the lake in SQL, by DuckDB", {"--query": asked, "--at": at}),
        "versions": (_versions, "list the versions that can be read", {}),
        "changes": (_changes, "the change report, as JSON", {"--start": start, "--end": end}),
        "export": (
            _export,
            "tables of the lake as one file",
            {
                "--to": "the file; its ending is its format",
                "--table": "one table, such as silver/<flow>",
                "--at": at,
                "--overwrite": "1 replaces a file",
            },
        ),
        "check": (_check, "check every object and manifest of the lake", {}),
    }
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, (do, summary, options) in table.items():
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(do=do)
        command.add_argument("--flow", required=True, help="the flow of the datasets")
        command.add_argument("--format", default="", help="the format of what is printed")
        for option, text in options.items():
            command.add_argument(option, default="", help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
