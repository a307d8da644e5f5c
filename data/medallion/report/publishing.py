"""Publishes the page of a run into gold, with a local copy. A failure does not fail the run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ..flow import Flow
from ..host.console import tell
from ..host.files import write_whole
from ..lake.manifest import StoredObject
from ..lake.metadata import Origin
from ..lake.versions import Lake
from ..settings import LakeSettings, known_secrets
from ..writer import Step
from .facts import Facts, gather
from .language import Language
from .page import render

CONTENT_TYPE = "text/html; charset=utf-8"


def publish(step: Step, origin: Origin) -> str:
    """Make the page of the lake's current state, and store it in gold and in the local folder.

    If this fails, the reason is printed and the run continues: its data are published.

    Args:
        step: the step of the flow's last block, after its publish.
        origin: the origin of what the block published.

    Returns:
        The path of the local copy; "" if there is none.
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
    """Make the page of the lake's current state, only on this machine; returns path and facts.

    Raises:
        StoreError: the store does not respond or refuses.
        OSError: the file cannot be written.
    """
    facts, file = gather(lake, flow), local_file(flow, settings.visualizations)
    write_whole(file, render(facts, Language.load(settings.report_language), made))
    return file, facts


def local_file(flow: Flow, folder: Path) -> Path:
    """The local path of a flow's page."""
    return folder / f"{flow.name}_report.html"


def keep_locally(what: str, file: Path, content: bytes) -> str:
    """Copy content of gold to a local file; returns its path, or "" if the copy failed."""
    try:
        write_whole(file, content)
    except OSError as error:
        tell(
            f"The {what} is in gold, but not at {file} ({error.strerror}); give the folder to this "
            "user, or set LAKE_VISUALIZATIONS to another."
        )
        return ""
    return str(file)
