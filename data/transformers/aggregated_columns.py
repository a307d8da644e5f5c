from data.breweries.flow import FLOW
from data.medallion.layers import gold
from data.medallion.steps import check_block, run_block

if "transformer" not in globals():
    from mage_ai.data_preparation.decorators import transformer
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@transformer
def aggregated_columns(transformed, *args, **kwargs):
    """Count the breweries by country, state and type.

    Silver is counted, and the table published in gold.
    """
    return run_block(FLOW, FLOW.gold, gold.aggregate, kwargs, upstream=transformed)


@test
def gold_adds_up(output, *args, **kwargs):
    check_block(FLOW, FLOW.gold, gold.verify, kwargs, upstream=output)
