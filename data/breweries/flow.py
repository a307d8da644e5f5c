"""The declaration of the breweries: one value, `FLOW`."""

from __future__ import annotations

from ..medallion.flow import Blocks, Chart, Flow
from .api import API
from .chart import draw
from .cleaning import clean
from .gold import STATE_BREWERY_TYPE
from .table import TABLE

FLOW = Flow(
    name="breweries",
    package=__package__,
    api=API,
    table=TABLE,
    clean=clean,
    aggregates=(STATE_BREWERY_TYPE,),
    chart=Chart(draw, of=STATE_BREWERY_TYPE.name, name="visualizations"),
    blocks=Blocks(
        "extract_breweries_data", "transform_breweries", "aggregated_columns", "data_viz"
    ),
)
