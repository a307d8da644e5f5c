"""The chart: gold as a picture (see `drawing`), to the lake and to a local file."""

from __future__ import annotations

from urllib.parse import urlsplit

from . import drawing, gold
from .datasets import CHART, CHART_OBJECT, PICTURE, SOURCE
from .errors import CheckFailed
from .manifest import Check, StoredObject
from .steps import Step, Summary, View

CONTENT_TYPE = "image/png"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def visualize(step: Step) -> Summary:
    """Draw gold; publish the picture to the lake and to the local folder.

    The figure stays open for `drawing.show`.

    Raises:
        LakeError: gold is missing, or not what its manifest says.
    """
    table, version = gold.read(step.lake)
    counted = version.manifest
    counts = table.to_pandas()
    caption = (
        f"Data of {counted.snapshot[:4]}-{counted.snapshot[4:6]}-{counted.snapshot[6:8]}. "
        f"Source: {SOURCE} at {urlsplit(step.settings.api_url).hostname}."
    )
    content = drawing.to_png(drawing.draw(counts, caption))

    step.settings.visualizations.mkdir(parents=True, exist_ok=True)
    local = step.settings.visualizations / PICTURE
    local.write_bytes(content)
    entry = StoredObject.of(CHART_OBJECT, len(table), content)
    breweries = int(counts["brewery_count"].sum())
    manifest, written = step.publish_object(
        entry,
        content,
        CONTENT_TYPE,
        snapshot=counted.snapshot,
        source=version.source,
        rows_in=counted.rows_out,
        checks=(Check(name="breweries drawn = silver", expected=counted.rows_in, found=breweries),),
    )
    return step.summary(manifest, objects_written=int(written), picture=str(local))


def verify(view: View) -> None:
    """Read the picture as a reader would.

    Raises:
        CheckFailed, LakeError: it is missing, or no PNG.
    """
    content = view.lake.follow(CHART, lambda v: view.lake.read("gold", v.manifest.only_object()))
    if not content.startswith(PNG_SIGNATURE):
        raise CheckFailed("the start of the chart's file", PNG_SIGNATURE, content[:8])
