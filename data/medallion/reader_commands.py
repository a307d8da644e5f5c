"""The commands that read a lake, and their options; what each does is in `read/__main__.py`.

This module imports nothing, so that a command line that has them too starts at once.
"""

from __future__ import annotations

import argparse

MOMENT = "a day, a time with its zone, or a run"
COMMANDS: dict[str, tuple[str, dict[str, str]]] = {
    "sql": (
        "the lake in SQL, by DuckDB",
        {"--query": "one query; by default those that you type", "--at": MOMENT},
    ),
    "versions": ("list the versions that can be read", {}),
    "changes": (
        "what changed between two versions",
        {
            "--start": f"the earlier version: {MOMENT}",
            "--end": "the later version; by default the published one",
        },
    ),
    "export": (
        "tables of the lake as one file",
        {
            "--to": "the file; its ending is its format",
            "--table": "one table, such as silver/<flow>",
            "--at": MOMENT,
            "--overwrite": "1 replaces a file",
        },
    ),
    "check": ("check every object and manifest of the lake", {}),
}
"""Maps each command to its purpose and its own options."""


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], flow: str | None = None
) -> list[argparse.ArgumentParser]:
    """Add the commands to a command line; `flow` is the default of `--flow`, else it is required.

    The parsed arguments have the name of the command in `command`.
    """
    added = []
    for name, (summary, options) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(command=name)
        command.add_argument(
            "--flow", required=flow is None, default=flow, help="the flow of the datasets"
        )
        command.add_argument("--format", default="", help="the format of what is printed")
        for option, text in options.items():
            command.add_argument(option, default="", help=text)
        added.append(command)
    return added
