"""Writes the files of a new flow, to edit. The flow runs at once, on a small file of records."""

from __future__ import annotations

import json
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from data.medallion import flow

from . import ROOT
from .problems import SandboxError, using

TEMPLATE = Path(__file__).with_name("template")
SUFFIX = ".template"
BLOCK = "transform_"  # how the longest names of its blocks begin
LONGEST = flow.LONGEST - len(BLOCK)
PAGING = {
    "page_number": ("PageNumber", ""),
    "offset": ("Offset", ""),
    "cursor": ("Cursor", '"next_cursor"'),
    "header_link": ("HeaderLink", ""),
    "json_link": ("JsonLink", ""),
    "single_page": ("SinglePage", ""),
}
"""The kinds of pagination by dlt's names: the class, and its argument."""


@dataclass(frozen=True)
class Shape:
    """The shape of an API, as its declaration says it."""

    paging: str = "page_number"
    records: str = ""
    """Where the records stand in a body; "" for the body itself."""
    total: str = ""
    """Where the total stands; "" for none."""

    @classmethod
    def asked_for(cls, paging: str, records: str, total: str) -> Shape:
        """What was given; a terminal is asked for the rest, if the kind of pagination is not there.

        Raises:
            SandboxError: there is no such kind of pagination.
        """
        kinds = ", ".join(PAGING)
        if not paging and sys.stdin.isatty():
            paging = input(f"Its pages: {kinds} [{cls.paging}]: ").strip()
            asking = "The field with {}, such as {} [none]: "
            records = records or input(asking.format("the records", "results")).strip()
            total = total or input(asking.format("the total", "count")).strip()
        if paging and paging not in PAGING:
            raise SandboxError(f"PAGING={paging} is no kind of pagination: give one of {kinds}.")
        return cls(paging or cls.paging, records, total)

    @property
    def words(self) -> dict[str, str]:
        """What the template says of it."""
        paginator, arguments = PAGING[self.paging]
        total = json.dumps(self.total) if self.total else "None"
        return {
            "paginator": paginator,
            "arguments": arguments,
            "records": self.records,
            "total": total,
        }


def write(name: str, shape: Shape = Shape()) -> str:
    """Write the files of a flow; returns a text about the next steps.

    Raises:
        SandboxError: no flow can have the name, or one of the files exists.
    """
    if problem := _problem(name):
        raise SandboxError(
            f"No flow can be called {name!r}: {problem}, such as make dataset NAME=stations."
        )
    files = {
        ROOT / _filled(path.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX), name): path
        for path in sorted(TEMPLATE.rglob(f"*{SUFFIX}"))
    }
    for file in (ROOT / "data" / name, *files):
        if file.exists():
            found = file.relative_to(ROOT)
            raise SandboxError(f"{found} is there already: choose another NAME, or remove it.")
    for file, template in files.items():
        with using(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            text = _filled(template.read_text(encoding="utf-8"), name, shape)
            file.write_text(text, encoding="utf-8")
    written = "\n".join(f"  {file.relative_to(ROOT)}" for file in files)
    return (
        f"Wrote the flow {name}:\n{written}\n\n"
        f"See it work:  make demo FLOW={name}\n"
        f"Then edit data/{name}/; docs/make-it-yours.md says how."
    )


def _problem(name: str) -> str:
    """Why no flow can have a name, and the remedy; "" if one can."""
    spelled = "give small letters, digits and _, and a letter first"
    if not name:
        return f"it is empty; {spelled}"
    if not re.match("[a-z]", name):
        return f"it begins with {name[0]!r}; {spelled}"
    if odd := re.search("[^a-z0-9_]", name):
        return f"it has the character {odd[0]!r}; {spelled}"
    if keyword.iskeyword(name):
        return "it is a word of Python; give another"
    if name in flow.RESERVED:
        return "it is the name of a part of the project; give another"
    if len(name) > LONGEST:
        too_long = f"it has {len(name)} characters, too many for its blocks, such as {BLOCK}<name>"
        return f"{too_long}; give at most {LONGEST}"
    return ""


def _filled(text: str, name: str, shape: Shape = Shape()) -> str:
    # Imports are sorted by name, and a block also imports the machinery.
    own = f"from data.{name}.flow import FLOW\n"
    before = own if name < "medallion" else ""
    return Template(text).substitute(
        name=name,
        Name="".join(word.capitalize() for word in name.split("_")),
        import_before=before,
        import_after="" if before else own,
        **shape.words,
    )
