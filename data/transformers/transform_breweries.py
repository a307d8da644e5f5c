from data.breweries.flow import FLOW
from data.medallion.layers import silver
from data.medallion.steps import check_block, run_block

if "transformer" not in globals():
    from mage_ai.data_preparation.decorators import transformer
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@transformer
def transform_breweries(extracted, *args, **kwargs):
    """Clean bronze.

    The rows are published in silver, one partition a location.
    """
    return run_block(FLOW, FLOW.silver, silver.transform, kwargs, upstream=extracted)


@test
def silver_is_what_its_manifest_says(output, *args, **kwargs):
    check_block(FLOW, FLOW.silver, silver.verify, kwargs, upstream=output)
