from data.breweries.flow import FLOW
from data.medallion.stages import SILVER

if "transformer" not in globals():
    from mage_ai.data_preparation.decorators import transformer
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@transformer
def transform_breweries(extracted, *args, **kwargs):
    """Clean bronze.

    The rows are published in silver, one partition a location.
    """
    return SILVER.run(FLOW, kwargs, upstream=extracted)


@test
def silver_is_what_its_manifest_says(output, *args, **kwargs):
    SILVER.check(FLOW, kwargs, upstream=output)
