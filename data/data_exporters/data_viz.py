from data.breweries.flow import FLOW
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
    target = FLOW.chart_dataset
    drawn = run_block(FLOW, target, chart.visualize, kwargs, upstream=aggregated)
    return chart.show(*drawn)


@test
def chart_is_a_picture(*output, **kwargs):
    summary = next(iter(output), None)
    check_block(FLOW, FLOW.chart_dataset, chart.verify, kwargs, upstream=summary)
