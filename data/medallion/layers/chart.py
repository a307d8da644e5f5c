"""The chart: a gold table as a picture, in the lake and in a local file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import FlowUnusable
from ..flow import MEDIA_TYPES, Chart, Flow
from ..host.console import tell
from ..lake.datasets import Dataset
from ..lake.manifest import Check, StoredObject
from ..lake.metadata import Origin
from ..report.publishing import keep_locally, publish
from ..writer import Step, Summary, View
from . import gold
from .errors import CheckFailed

if TYPE_CHECKING:  # the import costs half a second, so only the block that draws does it
    from matplotlib.figure import Figure

STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}
"""Format to the first bytes of its files."""

EDITOR_DPI = 60


def visualize(step: Step) -> tuple[Summary, Figure]:
    """Draw a gold table, publish the picture to the lake and the local folder, then the page.

    Returns:
        The block's summary, and the figure for `show`.

    Raises:
        LakeError: gold is missing or differs from its manifest.
    """
    drawing, _ = _chart_of(step.flow)
    table, version = gold.read(step.lake, step.flow, drawing.of)
    counted = version.manifest
    host = urlsplit(step.settings.flow.api_url).hostname
    date = f"{counted.snapshot[:4]}-{counted.snapshot[4:6]}-{counted.snapshot[6:8]}"
    figure = _drawn(drawing, table, f"Data of {date}. Source: {step.flow.api.title} at {host}.")
    origin = Origin(step.run, counted.snapshot, version.source, counted.rows_out)
    drawn = sum(table[_count(step.flow, drawing)].to_pylist())
    check = Check(name="rows drawn = silver", expected=counted.rows_in, found=drawn)

    count, files = 0, []
    keys = (str(step.writer.dataset.object), *step.writer.dataset.beside)
    # The first format is the published version, so it is written last.
    for key, kind in reversed(list(zip(keys, drawing.formats, strict=False))):
        content = to_bytes(figure, kind)
        entry = StoredObject.of(key, len(table), content)
        local = step.settings.lake.visualizations / Path(key).name
        files.append(keep_locally("chart", local, content))
        if key == keys[0]:
            manifest, written = step.writer.publish_object(
                entry, content, MEDIA_TYPES[kind], origin, (check,)
            )
        else:
            written = step.writer.store(entry, content, MEDIA_TYPES[kind], origin)
        count += written
    more = {"picture": files[-1], "report": publish(step, origin)}
    return step.writer.summary(manifest, objects_written=count, **more), figure


def verify(view: View) -> None:
    """Read the picture as a reader would.

    Raises:
        CheckFailed, LakeError: the picture is missing, or the file is not a picture.
    """
    drawing, dataset = _chart_of(view.flow)
    content = view.lake.only_content(dataset)
    start = STARTS[drawing.formats[0]]
    if not content.startswith(start):
        raise CheckFailed("the start of the chart's file", start, content[: len(start)])


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The content of the figure's file. Equal figures give equal bytes."""
    import matplotlib

    content = io.BytesIO()
    # Without these, the file contains matplotlib's version, the time and random names.
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    more: dict[str, Any] = {}
    if kind == "png":
        # A higher level takes three times as long and makes such pictures no smaller.
        more["pil_kwargs"] = {"compress_level": 3}
    with matplotlib.rc_context({"svg.hashsalt": "medallion"}):
        figure.savefig(content, format=kind, metadata=metadata, **more)
    return content.getvalue()


def show(summary: Summary, figure: Figure) -> Summary | None:
    """Show the figure under the block in Mage's editor; elsewhere, show nothing.

    Returns:
        The block's return value. It is None in the editor, because Mage's page shows either
        the value or the picture.
    """
    import matplotlib
    from matplotlib import pyplot

    in_editor = "inline" in matplotlib.get_backend()
    if in_editor:
        figure.set_dpi(EDITOR_DPI)
        pyplot.show()
        tell(str(summary))
    pyplot.close(figure)
    return None if in_editor else summary


def _chart_of(flow: Flow) -> tuple[Chart, Dataset]:
    if flow.drawing is None or flow.chart is None:
        raise FlowUnusable(flow.name, "it has no chart to draw", "declare one")
    return flow.drawing, flow.chart


def _drawn(drawing: Chart, table: Any, caption: str) -> Figure:
    import matplotlib

    if "MPLBACKEND" not in os.environ:  # Mage's editor sets it; else a window may block the run
        matplotlib.use("agg")
    return drawing.draw(table.to_pandas(), caption)


def _count(flow: Flow, drawing: Chart) -> str:
    return next(a.count for a in flow.aggregates if a.name == drawing.of)
