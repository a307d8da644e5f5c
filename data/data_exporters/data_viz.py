from data.breweries.flow import FLOW
from data.medallion.stages import CHART

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
    return CHART.run(FLOW, kwargs, upstream=aggregated)


@test
def chart_is_a_picture(*output, **kwargs):
    summary = next(iter(output), None)
    CHART.check(FLOW, kwargs, upstream=summary)
