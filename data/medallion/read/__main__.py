"""The lake from the command line, on the store of the settings: SQL, versions, changes, a check."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import MedallionError
from ..flow import Flow
from ..flows import load, load_all
from ..host.command import run, say
from ..lake.versions import Lake
from ..settings import LakeSettings, known_secrets

PROMPT, MORE = "lake> ", "  ... "


def main(arguments: list[str] | None = None) -> int:
    """Do one command; the exit status is 1 where it failed, or where a check found something."""
    return run(partial(_do, arguments))


def _do(arguments: list[str] | None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: say(message)
            done: Callable[..., int] = chosen.do
            return done(Lake.connect(LakeSettings.load()), load(chosen.flow), chosen)
    except MedallionError as error:
        say(known_secrets().text(str(error)))
        return 1


def sql(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> int:
    """Answer one query, or all that are typed."""
    from .sql import database

    with database(lake, load_all(), flow, chosen.at or None) as answering:
        if chosen.query:
            answering.answer(chosen.query, chosen.rows)
        elif not sys.stdin.isatty():
            answering.answer(sys.stdin.read(), chosen.rows)
        else:
            _talk(partial(answering.answer, rows=chosen.rows))
    return 0


def _talk(answer: Callable[[str], None]) -> None:
    import readline  # noqa: F401 - it lets a line be edited

    print("Views: bronze, silver, rejected, gold; SHOW ALL TABLES lists all. Ctrl-D ends.")
    text = ""
    while True:
        try:
            text += input(MORE if text else PROMPT) + "\n"
        except EOFError:
            print()
            return
        if text.rstrip().endswith(";"):
            try:
                answer(text)
            except MedallionError as error:
                say(error)
            text = ""


def versions(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> int:
    """List what `at` can give."""
    from .history import versions

    print(f"{'run':26}{'day':12}{'records':>10}{'added':>9}{'removed':>9}{'changed':>9}")
    for kept in versions(lake, flow):
        counts = "".join(f"{n:>9,}" for n in (kept.added, kept.removed, kept.changed))
        print(f"{kept.snapshot:26}{kept.began:%Y-%m-%d}{kept.records:>12,}{counts}", flush=True)
    return 0


def changes(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> int:
    """Print the report of what changed."""
    from .differences import report

    sys.stdout.write(report(lake, flow, chosen.start or None, chosen.end or None).decode())
    return 0


def check(lake: Lake, flow: Flow, chosen: argparse.Namespace) -> int:
    """Print what the lake holds, and what is wrong with it."""
    from .check import check

    checked, others = check(lake, load_all())
    print(f"{'':28}{'rows':>11}{'objects':>9}{'MiB':>9}  snapshot")
    for one in checked:
        rows = objects = size = 0
        snapshot = "none"
        if found := one.manifest:
            rows, objects, snapshot = found.rows_out, len(found.objects), found.snapshot
            size = sum(entry.bytes for entry in found.objects)
        verdict = f"{len(one.findings)} found" if one.findings else "ok"
        counts = f"{rows:>11,}{objects:>9,}{size / 2**20:>9,.1f}"
        print(f"{one.dataset.path:28}{counts}  {snapshot:24} {verdict}")
    findings: list[Any] = [*(finding for one in checked for finding in one.findings), *others]
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings" if findings else "The lake is whole.")
    return bool(findings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data.medallion.read", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, do: Callable[..., int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.add_argument("--flow", required=True, help="whose datasets")
        added.set_defaults(do=do)
        return added

    asking = command("sql", sql, "the lake in SQL, by DuckDB")
    asking.add_argument("--query", default="", help="one query; by default all that are typed")
    asking.add_argument("--at", default="", help="a day, a time with its zone, or a run")
    asking.add_argument("--rows", type=int, default=1_000, help="to print at most")
    command("versions", versions, "the versions that can be asked for")
    comparing = command("changes", changes, "what changed between two versions, as JSON")
    comparing.add_argument("--start", default="", help="the version before, as --at of sql")
    comparing.add_argument("--end", default="", help="the version after; by default the published")
    command("check", check, "every object and manifest of the lake checked")
    return parser


if __name__ == "__main__":
    sys.exit(main())
