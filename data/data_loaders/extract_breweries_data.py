from data.breweries.flow import FLOW
from data.medallion.stages import BRONZE

if "data_loader" not in globals():
    from mage_ai.data_preparation.decorators import data_loader
if "test" not in globals():
    from mage_ai.data_preparation.decorators import test


@data_loader
def extract_breweries_data(*args, **kwargs):
    """Ask the Open Brewery DB for every brewery.

    Bronze keeps the records as received. With the runtime variable
    `snapshot`, a retained snapshot is published again instead.
    """
    return BRONZE.run(FLOW, kwargs)


@test
def bronze_is_what_its_manifest_says(output, *args, **kwargs):
    BRONZE.check(FLOW, kwargs, upstream=output)
