from data.breweries.flow import FLOW
from data.medallion.stages import GOLD

if "transformer" not in globals():
    from mage_ai.data_preparation.decorators import transformer
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@transformer
def aggregated_columns(transformed, *args, **kwargs):
    """Count the breweries by country, state and type.

    Silver is counted, and the table published in gold.
    """
    return GOLD.run(FLOW, kwargs, upstream=transformed)


@test
def gold_adds_up(output, *args, **kwargs):
    GOLD.check(FLOW, kwargs, upstream=output)
