"""The chart: gold as a picture (see `drawing`), to the lake and to a local file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ...breweries import chart as drawing
from ..errors import CheckFailed
from ..host.console import tell
from ..lake.datasets import CHART, CHART_OBJECT, PICTURE, SOURCE
from ..lake.manifest import Check, StoredObject
from ..steps import Step, Summary, View
from . import gold

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
    local = _keep_locally(step.settings.visualizations, content)
    return step.summary(manifest, objects_written=int(written), picture=local)


def _keep_locally(folder: Path, content: bytes) -> str:
    """Put the picture into a folder of this machine; where it is, or "" where it cannot be."""
    file = folder / PICTURE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as error:
        tell(
            f"The chart is in gold, but not at {file} ({error.strerror}); give the folder to this "
            "user, or set BREWERIES_VISUALIZATIONS to another."
        )
        return ""
    return str(file)


def verify(view: View) -> None:
    """Read the picture as a reader would.

    Raises:
        CheckFailed, LakeError: it is missing, or no PNG.
    """
    content = view.lake.follow(CHART, lambda v: view.lake.read("gold", v.manifest.only_object()))
    if not content.startswith(PNG_SIGNATURE):
        raise CheckFailed("the start of the chart's file", PNG_SIGNATURE, content[:8])
