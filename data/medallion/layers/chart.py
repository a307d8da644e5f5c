"""The chart: a gold table as a picture, in the lake and in a local file."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from ..context import FlowContext, Summary
from ..flow import MEDIA_TYPES, Chart
from ..lake.datasets import Dataset
from ..lake.manifest import Check
from ..lake.runs import time_of
from ..own_code import OwnCode
from ..report.language import Language
from ..report.publishing import keep_locally, keep_page, with_page
from ..step import Step
from ..writer import Provenance, made_from_expired
from . import gold
from .errors import CheckFailed

if TYPE_CHECKING:  # the import costs half a second, so only the block that draws does it
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml"}  # format to the start of its files
EDITOR_DPI = 60


def visualize(step: Step) -> Summary | None:
    """Draw a gold table, publish picture and page; LakeError if gold is not whole."""
    writer, chart, dataset = step.writer, step.flow.chart, step.writer.dataset
    if chart is None:
        return None
    table, counted = gold.read_table(step.lake, step.flow, chart.of)
    language = Language.load(step.settings.lake.report_language, step.flow)
    host = urlsplit(step.settings.flow.api_url).hostname
    day, api = language.day(time_of(counted.snapshot)), step.flow.api.title
    caption = language("chart_caption", date=day, api=api, host=host)
    figure = _drawn(chart, table, caption, language)
    aggregate, source = gold.named(step.flow, chart.of)
    drawn = sum(table[aggregate.count].to_pylist())
    check = Check(name="rows drawn = silver", expected=counted.rows_in, found=drawn)
    keys = (str(dataset.object), *dataset.sidecars)  # the last one is that of the page
    with OwnCode(chart.draw, "the chart as a picture"):
        contents = to_pictures(figure, chart.formats)
    pictures = list(zip(keys, chart.formats, contents, strict=False))
    copies = tuple(
        writer.store_copied(key, content, len(table), MEDIA_TYPES[kind])
        for key, kind, content in pictures
    )
    manifest = writer.manifest(
        Provenance.of(source, counted),
        objects=(copies[0].object,),
        copies=copies,
        checks=(check,),
        rows_out=len(table),
    )
    manifest, page = with_page(step, manifest, (), pictures[0][2])
    manifest = writer.publish(manifest, made_from_expired(source, counted))
    folder = step.settings.lake.visualizations
    files = [keep_locally("chart", folder / Path(k).name, c) for k, _, c in pictures]
    more = {"picture": files[0], "report": keep_page(step, page)}
    return _show(writer.summary(manifest, **more), figure)


def verify(context: FlowContext, dataset: Dataset) -> None:
    """Read the picture as a reader would; CheckFailed or LakeError if it is none."""
    lake, start = context.lake, STARTS[str(dataset.object).rpartition(".")[2]]
    content = lake.read_current(dataset, lambda version: lake.read("gold", version.only_object()))
    if not content.startswith(start):
        raise CheckFailed("the start of the chart's file", start, content[: len(start)])


def to_pictures(figure: Figure, kinds: Sequence[str]) -> list[bytes]:
    """The content of the figure's files, whatever texts are in it. Equal figures, equal bytes."""
    from .lettering import Lettering  # imports matplotlib too

    lettering = Lettering(figure)
    contents = [_to_bytes(figure, kind) for kind in kinds]
    while lettering.fit():  # as drawn, because only then all texts have their places
        contents = [_to_bytes(figure, kind) for kind in kinds]
    return contents


def _to_bytes(figure: Figure, kind: str) -> bytes:
    import matplotlib

    content = io.BytesIO()
    # Without these, the file contains matplotlib's version, the time and random names.
    metadata = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}[kind]
    # A higher level takes three times as long and makes such pictures no smaller.
    more: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "medallion"}):
        figure.savefig(content, format=kind, metadata=metadata, **more)
    return content.getvalue()


def _show(summary: Summary, figure: Figure) -> Summary | None:
    """Show the figure in Mage's editor, or else return the value: its page shows one of them."""
    import matplotlib
    from matplotlib import pyplot

    in_editor = "inline" in matplotlib.get_backend()
    if in_editor:
        figure.set_dpi(EDITOR_DPI)
        pyplot.show()
        logger.info(str(summary))
    pyplot.close(figure)
    return None if in_editor else summary


def _drawn(chart: Chart, table: pa.Table, caption: str, language: Language) -> Figure:
    import matplotlib

    if "MPLBACKEND" not in os.environ:  # Mage's editor sets it; else a window may block the run
        matplotlib.use("agg")
    from matplotlib.figure import Figure

    with (
        OwnCode(chart.draw, f"the chart of {chart.of}") as own,
        matplotlib.rc_context({"text.parse_math": False}),
    ):
        takes_language = "language" in signature(chart.draw).parameters
        more = {"language": language} if takes_language else {}
        figure = chart.draw(_showable(table).to_pandas(), caption, **more)
        own.expect(figure, Figure, "a figure of matplotlib")
    return figure


def _showable(table: pa.Table) -> pa.Table:
    """The table with a joiner, which is not drawn, before each `_`, which hides from legends."""
    for n, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            texts = pc.replace_substring_regex(table[n], "^_", "\u2060_")
            table = table.set_column(n, column, texts)
    return table
