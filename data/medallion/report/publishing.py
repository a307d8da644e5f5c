"""Makes the page of a run a part of its last version. A failure does not fail the run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ..flow import Flow
from ..host.workspace import write_whole
from ..lake.lake import Lake
from ..lake.manifest import Manifest
from ..settings import LakeSettings, known_secrets
from ..step import Step
from .facts import Facts, gather
from .language import Language
from .page import render

logger = logging.getLogger(__name__)


def with_page(
    step: Step, version: Manifest, others: Sequence[Manifest], chart: bytes = b""
) -> tuple[Manifest, bytes]:
    """Make the page of the lake as it will be, and store it as a part of a version.

    Returns the version with the page, and the page. If this fails, the reason is printed, the run
    continues, and the page is b"". `others` are the other versions that the block has published.
    """
    key, settings = step.flow.report, step.settings.lake
    try:
        facts = gather(step.lake, step.flow, (*others, version), chart)
        content = render(facts, Language.load(settings.report_language, step.flow))
        copy = step.writer.store_copied(key, content, version.rows_in, "text/html; charset=utf-8")
    except Exception as error:
        reason = known_secrets().text(f"{type(error).__name__}: {error}")
        logger.warning(
            f"The page of this run could not be made ({reason}). Its data are published; "
            f"make report FLOW={step.flow.name} makes the page."
        )
        return version, b""
    return version.model_copy(update={"copies": (*version.copies, copy)}), content


def keep_page(step: Step, content: bytes) -> str:
    """Keep the page of a run locally; returns its path, or "" if there is none."""
    file = local_file(step.flow, step.settings.lake.visualizations)
    return keep_locally("page", file, content) if content else ""


def write(
    lake: Lake, flow: Flow, settings: LakeSettings, made: datetime | None = None
) -> tuple[Path, Facts]:
    """Make the page of the lake's current state, only on this machine; returns path and facts.

    Errors are those of `gather`, and OSError if the file cannot be written.
    """
    facts, file = gather(lake, flow, read=True), local_file(flow, settings.visualizations)
    write_whole(file, render(facts, Language.load(settings.report_language, flow), made))
    return file, facts


def local_file(flow: Flow, folder: Path) -> Path:
    """The local path of a flow's page."""
    return folder / f"{flow.name}_report.html"


def keep_locally(what: str, file: Path, content: bytes) -> str:
    """Copy content of gold to a local file; returns its path, or "" if the copy failed."""
    try:
        write_whole(file, content)
    except OSError as error:
        logger.warning(
            f"The {what} is in gold, but not at {file} ({error.strerror}); give the folder to this "
            "user, or set LAKE_VISUALIZATIONS to another."
        )
        return ""
    return str(file)
