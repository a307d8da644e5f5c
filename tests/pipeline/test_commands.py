"""The commands as the user types them: exit status, what is printed, what is left."""

import re

import pytest
from markupsafe import escape

from data.breweries.flow import FLOW
from data.medallion.layers.errors import DriftStopped
from tests.conftest import raw_get
from tests.programs import mage_run


def test_mage_run_fills_the_lake_and_keeps_the_chart_beside_the_project_too(world):
    done = mage_run(text=True)
    assert done.returncode == 0, done.stderr
    chart = world.manifest(FLOW.chart_dataset)
    assert chart.run == world.manifest(FLOW.silver).run
    assert re.search(r"^  data_viz +\d+ rows +1 objects +1 new", done.stdout, re.MULTILINE)
    beside = (world.folder / "visualizations" / "breweries_aggregated.png").read_bytes()
    assert world.lake.read("gold", chart.only_object()) == beside
    assert beside.startswith(b"\x89PNG")


def test_a_first_run_that_loses_too_much_stops_unless_a_person_allows_it(world, capsys):
    world.api.records = [
        {**record, "state_province": "", "state": None, "longitude": "1_0"}
        for record in world.api.records[:60]
    ]
    rejected = (
        "60 of 60 records are rejected, most often with the reason 'no state' (partition columns "
        "are required)"
    )
    unread = "longitude: 60 of 60 values cannot be read, for example '1_0'"
    log = world.fails(DriftStopped, "silver")
    assert f"The data are not as expected ({unread}; {rejected}); what is" in log["message"]
    assert log["message"] in capsys.readouterr().out
    assert FLOW.silver.manifest not in world.keys("silver")

    world.set(BREWERIES_STOP_ON="none")
    world.run()
    told = capsys.readouterr().out
    drift = {drift.rule: drift.what for drift in world.manifest(FLOW.silver).drift}
    assert drift == {"many_unreadable": unread, "many_rejected": rejected}
    assert all(f"\n    {what}\n" in told for what in drift.values())
    page = raw_get(world.lake, "gold", FLOW.report).decode()
    assert all(escape(what) in page for what in drift.values())


@pytest.mark.slow
@pytest.mark.usefixtures("filled")
def test_a_block_run_alone_is_tried_again_as_the_project_says(world):
    world.lake.store.put("bronze", world.manifest(FLOW.bronze).only_object().key, b"spoilt")
    done = mage_run("--block-uuid", "transform_breweries")
    assert done.returncode != 0
    (log,) = world.logs("silver").values()
    assert (log["exception_type"], log["attempt"]) == ("ObjectDiffers", 3)
