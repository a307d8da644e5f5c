"""The page of a run: into gold, and a copy onto this machine. It is secondary, and fails no run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ..flow import Flow
from ..host.console import tell
from ..host.files import write_whole
from ..lake.manifest import StoredObject
from ..lake.versions import Lake, Origin
from ..settings import LakeSettings, known_secrets
from ..writer import Step
from .facts import Facts, gather
from .language import Language
from .page import render

CONTENT_TYPE = "text/html; charset=utf-8"


def publish(step: Step, origin: Origin) -> str:
    """Make the page of what the lake holds now, and put it into gold and the local folder.

    Whatever keeps it from that is told, and the run goes on: its data are published.

    Args:
        step: of the flow's last block, once that has published.
        origin: of what it published.

    Returns:
        Where the local copy is, or "" where there is none.
    """
    settings = step.settings.lake
    try:
        content = render(gather(step.lake, step.flow), Language.load(settings.report_language))
        entry = StoredObject.of(step.flow.report, origin.rows_in, content)
        step.writer.store(entry, content, CONTENT_TYPE, origin)
    except Exception as error:
        reason = known_secrets().text(f"{type(error).__name__}: {error}")
        tell(
            f"The page of this run could not be made ({reason}). Its data are published; "
            f"make report FLOW={step.flow.name} makes the page."
        )
        return ""
    return keep_locally("page", local_file(step.flow, settings.visualizations), content)


def write(
    lake: Lake, flow: Flow, settings: LakeSettings, made: datetime | None = None
) -> tuple[Path, Facts]:
    """Make the page of what the lake holds now, on this machine alone: where it is, what it tells.

    Raises:
        StoreError: the store does not answer, or refuses.
        OSError: the file cannot be written.
    """
    facts, file = gather(lake, flow), local_file(flow, settings.visualizations)
    write_whole(file, render(facts, Language.load(settings.report_language), made))
    return file, facts


def local_file(flow: Flow, folder: Path) -> Path:
    """Where the page of a flow is on this machine."""
    return folder / f"{flow.name}_report.html"


def keep_locally(what: str, file: Path, content: bytes) -> str:
    """Copy something of gold into a folder of this machine; where it is, or "" if it failed."""
    try:
        write_whole(file, content)
    except OSError as error:
        tell(
            f"The {what} is in gold, but not at {file} ({error.strerror}); give the folder to this "
            "user, or set LAKE_VISUALIZATIONS to another."
        )
        return ""
    return str(file)
