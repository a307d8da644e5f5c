from pathlib import Path

from data.housekeeping import remove_older, retention_days

if "custom" not in globals():
    from mage_ai.data_preparation.decorators import custom


@custom
def remove_leftovers(*args, **kwargs):
    """Remove Mage's own runs, logs and variables.

    Those older than MAGE_RETENTION_DAYS. The lake
    is not touched.
    """
    from mage_ai.orchestration.db import engine
    from mage_ai.settings.repo import get_variables_dir

    days = retention_days()
    if not days:
        return print("MAGE_RETENTION_DAYS is 0: everything is kept.")
    return print(remove_older(days, engine, Path(get_variables_dir())))
