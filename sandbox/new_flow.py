"""Writes the files of a new flow, to edit. The flow runs at once, on a small file of records."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template

from data.medallion import flows

from . import ROOT
from .problems import SandboxError, using

TEMPLATE = Path(__file__).with_name("template")
SUFFIX = ".template"
BLOCK = "transform_"  # how the longest names of its blocks begin
LONGEST = flows.LONGEST - len(BLOCK)


def write(name: str) -> str:
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
            file.write_text(_filled(template.read_text(encoding="utf-8"), name), encoding="utf-8")
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
    if name in flows.RESERVED:
        return "it is the name of a part of the project; give another"
    if len(name) > LONGEST:
        too_long = f"it has {len(name)} characters, too many for its blocks, such as {BLOCK}<name>"
        return f"{too_long}; give at most {LONGEST}"
    return ""


def _filled(text: str, name: str) -> str:
    title = "".join(word.capitalize() for word in name.split("_"))
    # Imports are sorted by name, and a block also imports the machinery.
    own = f"from data.{name}.flow import FLOW\n"
    before = own if name < "medallion" else ""
    return Template(text).substitute(
        name=name, Name=title, import_before=before, import_after="" if before else own
    )
