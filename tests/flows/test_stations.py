"""What holds for every flow holds for one with a column of each kind, and several gold tables."""

import re
from dataclasses import replace
from unittest.mock import Mock

import pytest

from data.medallion.errors import DatasetTaken
from data.medallion.flow import Blocks
from data.medallion.layers import gold
from data.medallion.read import __main__ as reader
from data.medallion.read import tables
from data.medallion.source.errors import CrawlIncomplete
from data.medallion.stages import BRONZE
from data.medallion.table import Column, record_hash
from tests.flow_tests import chain_of, tests_of
from tests.stations import RECORD, STATIONS, InMemory, some

TestStations = tests_of(STATIONS, in_project=False)

GOLD = tuple(replace(a, name=f"buoy_{a.name}") for a in STATIONS.aggregates)
BLOCKS = Blocks("extract_buoys", "clean_buoys", "count_buoys")
BUOYS = replace(STATIONS, name="buoys", aggregates=GOLD, blocks=BLOCKS)


@pytest.fixture
def chain(store, tmp_path, monkeypatch):
    with chain_of(STATIONS, store, tmp_path, monkeypatch) as chain:
        yield chain


@pytest.mark.server
def test_the_row_received_last_is_kept_of_those_with_one_number(chain):
    chain.run([*some(1, 2), {**RECORD, "number": "1", "kind": "land"}])
    assert chain.manifest(STATIONS.silver).rows_duplicate == 1
    heights, _ = gold.read_table(chain.lake, STATIONS, "kind_heights")
    assert {row["kind"]: row["stations"] for row in heights.to_pylist()} == {"land": 1, "sea": 1}


def with_table(chain, **changed):
    return replace(chain, flow=replace(STATIONS, table=replace(STATIONS.table, **changed)))


@pytest.mark.server
def test_of_versions_of_a_record_the_newest_is_kept(chain):
    new, old = ({**RECORD, "opened_at": f"19{n}-01-01"} for n in (99, 98))
    newest = with_table(chain, newest="opened_at")
    newest.run([{**RECORD, "opened_at": "1970-01-01"}, {**new, "kind": "air"}, old, *some(8)])
    manifest = newest.manifest(STATIONS.silver)
    assert (manifest.rows_out, manifest.rows_duplicate) == (2, 2)
    heights, _ = gold.read_table(newest.lake, STATIONS, "kind_heights")
    assert {row["kind"] for row in heights.to_pylist()} == {"air", "sea"}


@pytest.mark.server
def test_records_are_known_by_several_columns_or_by_their_hash(chain):
    several = with_table(chain, key=("name", "number", "country"))
    received = [*some(1, 2, 1), {**RECORD, "number": 1, "name": "B"}]
    several.run(received)
    several.run(received[1:])
    columns = (*STATIONS.table.columns, Column("id", derive=record_hash))
    for one in (several, with_table(chain, columns=columns, key="id")):
        one.run(received)
        manifest = one.manifest(STATIONS.silver)
        assert (manifest.rows_out, manifest.rows_duplicate) == (3, 1)
        assert manifest.checks[0].held


@pytest.mark.server
def test_two_flows_in_one_lake_touch_nothing_of_each_other(chain, monkeypatch):
    monkeypatch.setenv("BUOYS_HISTORY_VERSIONS", "1")
    monkeypatch.setenv("BUOYS_STOP_ON", "none")
    buoys = replace(chain, flow=BUOYS)
    snapshot = chain.run(some(1, 2, 3))
    stations = chain.published()
    for n in range(3):
        buoys.run([*some(n, 9), "junk"])
    assert chain.published() == stations
    drifting = replace(BUOYS, api=InMemory(some(1), some(2), some(1), some(2)))
    with pytest.raises(CrawlIncomplete):
        BRONZE.run(drifting, {})
    chain.run(some(4))
    assert chain.run(some(4), snapshot=snapshot) == snapshot
    assert chain.published() == stations
    logs = chain.lake.store.listed("bronze", "logs/")
    assert [BUOYS.owns("bronze", key) for key in logs] == [True]
    assert not any(STATIONS.owns("bronze", key) for key in logs)
    assert buoys.manifest(BUOYS.silver).rows_rejected == 1


@pytest.fixture
def asked(chain, monkeypatch, capsys):
    """A lake of the stations, in a project with buoys, which never ran; what a command says."""
    chain.run(some(1, 2, 3))
    project = {flow.name: flow for flow in (BUOYS, STATIONS)}
    monkeypatch.setattr(reader, "load_all", lambda: [*project.values()])
    monkeypatch.setattr(reader, "load", project.__getitem__)

    def ask(command, flow, *options):
        status = reader.main([command, "--flow", flow, *options])
        return status, "".join(capsys.readouterr())

    return ask


@pytest.mark.server
@pytest.mark.parametrize(
    ("flow", "query", "named", "shows"),
    [
        ("stations", "SELECT count(*) + 4 FROM silver", "silver/stations", "7"),
        ("stations", "USE gold; FROM kind_heights", "gold/kind_heights", "sea"),
        ("buoys", "SELECT count(*) + 4 FROM silver.stations", "silver/stations", "7"),
        ("buoys", 'SELECT stations FROM Gold . "kind_heights"', "gold/kind_heights", "3"),
        ("buoys", "FROM memory.bronze.stations; FROM silver.stations",
         "bronze/stations silver/stations", "sea"),
        ("buoys", "SELECT s.kind FROM silver.stations s", "silver/stations", "sea"),
        ("buoys", "SHOW ALL TABLES", "", "buoy_kind_heights"),
        ("buoys", "FROM silver", "silver/buoys", "There is no silver/data/buoys/_manifest"),
        ("stations", "FROM silver.buoys", "silver/buoys", "run the block clean_buoys first"),
    ],
)  # fmt: skip
def test_only_the_tables_of_a_query_are_read(asked, monkeypatch, flow, query, named, shows):
    rows = Mock(side_effect=tables.rows)
    monkeypatch.setattr(tables, "rows", rows)
    status, told = asked("sql", flow, "--query", query, "--format", "table")
    assert shows in told and status == ("no" in told.split()), told
    assert [dataset.path for (_, _, dataset), _ in rows.call_args_list] == named.split()


@pytest.mark.server
@pytest.mark.parametrize("flow", ["stations", "buoys"])
def test_a_flow_that_never_ran_is_no_finding(asked, flow):
    status, told = asked("check", flow)
    assert re.search("^buoys +never ran in this lake\n", told, re.MULTILINE), told
    assert status == 0 and told.endswith("The lake is whole.\n"), told


@pytest.mark.server
def test_a_dataset_that_another_flow_wrote_is_not_replaced(chain):
    chain.run(some(1))
    taken = replace(BUOYS, aggregates=STATIONS.aggregates)
    with pytest.raises(DatasetTaken, match="flow buoys cannot write gold/kind_heights, which"):
        replace(chain, flow=taken).run(some(2))
