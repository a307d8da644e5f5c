"""The chart: a gold table as a picture, to the lake and to a local file."""

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
from ..lake.versions import Origin
from ..report.publishing import keep_locally, publish
from ..writer import Step, Summary, View
from . import gold
from .errors import CheckFailed

if TYPE_CHECKING:  # importing it costs half a second, so it is done by the block that draws
    from matplotlib.figure import Figure

STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}
"""How a picture's file begins."""

EDITOR_DPI = 60


def visualize(step: Step) -> tuple[Summary, Figure]:
    """Draw a gold table; publish the picture to the lake and to the local folder, then the page.

    Returns:
        What the block returns, and the figure, for `show`.

    Raises:
        LakeError: gold is missing, or not what its manifest says.
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
    # The first is the version, so that it comes last; beside them is the page.
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
        CheckFailed, LakeError: it is missing, or no picture.
    """
    drawing, dataset = _chart_of(view.flow)
    content = view.lake.only_content(dataset)
    start = STARTS[drawing.formats[0]]
    if not content.startswith(start):
        raise CheckFailed("the start of the chart's file", start, content[: len(start)])


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as a file: equal figures are equal bytes."""
    import matplotlib

    content = io.BytesIO()
    # Without these, matplotlib's version, the time and random names stand in the file.
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    more: dict[str, Any] = {}
    if kind == "png":
        # Compressing harder takes three times as long and makes this kind of picture no smaller.
        more["pil_kwargs"] = {"compress_level": 3}
    with matplotlib.rc_context({"svg.hashsalt": "medallion"}):
        figure.savefig(content, format=kind, metadata=metadata, **more)
    return content.getvalue()


def show(summary: Summary, figure: Figure) -> Summary | None:
    """Show the figure under the block in Mage's editor; elsewhere there is nobody to look.

    Mage's page shows what a block returns or its picture, not both.

    Returns:
        What the block returns.
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

    if "MPLBACKEND" not in os.environ:  # Mage's editor sets it; a window would block the run
        matplotlib.use("agg")
    return drawing.draw(table.to_pandas(), caption)


def _count(flow: Flow, drawing: Chart) -> str:
    return next(a.count for a in flow.aggregates if a.name == drawing.of)
