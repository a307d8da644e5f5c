"""The profile `scale`: silver and gold run on the stack's own Dask cluster."""

from data.breweries.flow import FLOW
from tests.waiting import wait_for


def test_the_first_run_goes_through_two_workers(project):
    project.prepare(COMPOSE_PROFILES="scale", DASK_SCHEDULER_ADDRESS="tcp://scheduler:8786")
    project.run("make", "up", f"COMPOSE={project.compose_command}")
    project.compose("up", "-d", "--scale", "worker=2", "worker")
    mage = project.mage()
    first = min(int(run["id"]) for run in wait_for(lambda: mage.runs("breweries")))
    assert project.end_of(first) == "completed"
    lake = project.lake()
    assert lake.version(FLOW.silver).rows_out == lake.version(FLOW.gold[0]).rows_in > 0
    assert not lake.store.listed("silver", "scratch/")
