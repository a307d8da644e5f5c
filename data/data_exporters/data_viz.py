from data.breweries import chart as drawing
from data.medallion.lake.datasets import CHART
from data.medallion.layers import chart
from data.medallion.steps import check_block, run_block

if "data_exporter" not in globals():
    from mage_ai.data_preparation.decorators import data_exporter
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@data_exporter
def data_viz(aggregated, *args, **kwargs):
    """Draw the chart.

    It is published in gold, put into data/visualizations, and
    shown here.
    """
    summary = run_block(CHART, chart.visualize, kwargs, upstream=aggregated)
    # Mage's page shows what a block returns or its picture, not both.
    return print(summary) if drawing.show() else summary


@test
def chart_is_a_picture(*output, **kwargs):
    check_block(CHART, chart.verify, kwargs, upstream=next(iter(output), None))
