"""Draws charts of any names, and looks at every text in them."""

import warnings
from io import BytesIO

import pyarrow as pa
from matplotlib import pyplot
from matplotlib.text import Text
from PIL import Image

from data.medallion.flow import Chart
from data.medallion.layers import chart


def picture(draw, names, language):
    """The texts of the chart of some names, none of which is outside or warns of anything."""
    texts = dict.fromkeys(("country", "state", "brewery_type"), pa.string())
    counts = range(1, len(names) + 1)
    columns = [names, names, names[::-1], [*counts]]
    table = pa.table(columns, pa.schema({**texts, "brewery_count": pa.int64()}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = chart._drawn(Chart(draw, of="t"), table, "of today", language)
        try:
            content, svg = chart.to_pictures(figure, ("png", "svg"))
            figure.draw_without_rendering()
            assert Image.open(BytesIO(content)).size == tuple(figure.bbox.size)
            assert svg.startswith(b"<?xml")
            texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
            boxes = [(t.get_window_extent(), t.get_text()) for t in texts]
            wide = figure.bbox.width + 1
            outside = [words for box, words in boxes if box.x0 < -1 or box.x1 > wide]
            shown = [words for words in outside if "mathdefault" not in words]
            assert not [words for words in shown if any(map(str.isalpha, words))]
            return [words for _, words in boxes]
        finally:
            pyplot.close(figure)
