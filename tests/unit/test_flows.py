"""What a flow may declare, and the sentence that refuses the rest."""

import re
from dataclasses import replace

import pytest

from data.medallion import project
from data.medallion.errors import FlowMissing, FlowUnusable
from data.medallion.flow import Aggregate, Blocks, Chart, Measure, count
from data.medallion.table import Column, month, unchanged
from tests.stations import HEIGHTS, KINDS, STATIONS, TABLE, YEARS, InMemory


def test_what_is_declared_well_is_no_problem():
    STATIONS.check()
    replace(STATIONS, **chart(formats=("svg", "png"))).check()


def chart(*, of="kind_heights", name="", formats=("png",), block="draw_stations"):
    blocks = replace(STATIONS.blocks, chart=block)
    return {"chart": Chart(print, of, name, formats), "blocks": blocks}


def column(**more):
    """The stations' table with another column."""
    return replace(TABLE, columns=(*TABLE.columns, Column(**more)))


def of_table(**changed):
    return {"table": replace(TABLE, **changed)}


def gold(*measures, keys=("kind",), name="more"):
    return {"aggregates": (HEIGHTS, YEARS, Aggregate(name, keys, measures))}


def of_gold(measures):
    return {"aggregates": (Aggregate("more", ("kind",), measures),)}


COUNT = count("stations")
REFUSED = [
    # Names
    ({"name": "Stations"}, "the name 'Stations' cannot stand in a key", "small letters"),
    ({"name": "weather/stations"}, "'weather/stations' cannot stand in a key", "small letters"),
    ({"name": "estações"}, "the name 'estações' cannot stand in a key", "small letters"),
    ({"name": ""}, "the name '' cannot stand in a key", "small letters"),
    ({"name": "x" * 42}, "cannot stand in a key", "41 at most"),
    ({"name": "lake"}, "the name lake is taken", "choose another"),
    ({"name": "medallion"}, "the name medallion is taken", "choose another"),
    # Their folders in silver would hold what all flows put beside theirs.
    ({"name": "rejected"}, "the name rejected is taken", "choose another"),
    ({"name": "changes"}, "the name changes is taken", "choose another"),
    ({"name": "import"}, "the name import is taken", "choose another"),
    (gold(COUNT, name="by kind"), "'by kind' cannot stand in a key", "small letters"),
    (gold(COUNT, name="kind_heights"), "two of its datasets are gold/kind_heights", "otherwise"),
    (chart(name="kind_heights"), "two of its datasets", "otherwise"),
    (chart(name="a-b"), "'a-b' cannot stand in a key", "letters"),
    ({"blocks": Blocks("b", "s", "s")}, "two of its layers have one block", "of its own"),
    ({"blocks": Blocks("b", "s", "g/h")}, "'g/h' cannot stand in a key", "small letters"),
    (chart(of="heights"), "its chart draws heights", "one that it has"),
    (chart(formats=()), "its chart has no format", "png"),
    (chart(block=""), "its chart has no block", "name the block"),
    (chart(formats=("pdf",)), "format 'pdf'", "png"),
    # Tuples
    (of_table(partitions=("country")), 'partitions="country" of its Table', 'write ("country",)'),
    (of_table(shown="name"), 'shown="name" of its Table', 'write ("name",)'),
    (of_table(coordinates="height"), 'coordinates="height" of its Table', 'write ("height",)'),
    (of_table(columns=Column("x")), "columns=Column(...) of its Table", "write (Column(...),)"),
    ({"table": column(name="x", sources="a.b")}, 'sources="a.b" of its Column x', '("a.b",)'),
    ({"table": column(name="x", bounds=1)}, "bounds=int(...) of its Column x", "write"),
    ({"aggregates": HEIGHTS}, "aggregates=Aggregate(...) of its Flow", "(Aggregate(...),)"),
    (gold(COUNT, keys="kind"), 'keys="kind" of its Aggregate more', 'write ("kind",)'),
    (of_gold(count("rows")), 'measures=count("rows") of its Agg', 'write (count("rows"),)'),
    (of_gold(Measure("m", "sum", "x")), "measures=Measure(...) of", "write (Measure(...),)"),
    (chart(formats="png"), 'formats="png" of its Chart', 'write ("png",)'),
    (gold("rows"), "of another type than it should be ('str' object has no", "mend it"),
    # The table
    ({"table": column(name="phone")}, "it has the column phone 2 times", "otherwise"),
    ({"table": column(name="two words")}, "cannot be called 'two words'", "another name"),
    ({"table": column(name="position")}, "cannot be called 'position'", "another name"),
    ({"table": column(name="x", type="date")}, "x has the unknown type 'date'", "timestamp"),
    ({"table": column(name="x", bounds=(0, 1))}, "x has bounds and is no number", "leave"),
    ({"table": column(name="x", type="bool", accepted_values=KINDS)}, "x has accepted", "leave"),
    ({"table": column(name="x", derive=month("closed_at"))}, "x is made of closed_at", "declare"),
    ({"table": column(name="x", derive=month("name"))}, "x is made of name", "timestamp"),
    (of_table(key="id"), "no row has the column id", "declare it"),
    ({"table": column(name="x", decimal=",")}, "x has a decimal mark and is no number", "leave"),
    (of_table(key=("name", "day")), "no row has the column day", "declare it"),
    (of_table(key=("country", "year")), "its partition country and year is its key", "another"),
    (of_table(newest="updated_at"), "no row has the column updated_at", "declare it"),
    (of_table(newest="open"), "its newest open is of the type bool", "timestamp"),
    (of_table(key="height"), "its key height is of the type float64", "int64, text"),
    (of_table(partitions=("country", "state")), "no row has the column state", "declare it"),
    (of_table(partitions=()), "it has no partition column", "at least one"),
    (of_table(partitions=("height",)), "its partition height is of the type float64", "int64"),
    (of_table(partitions=("opened_at",)), "opened_at is of the type timestamp", "bool"),
    (of_table(partitions=("number",)), "its partition number is its key too", "another column"),
    (of_table(partitions=("year", "year")), "it is partitioned by year twice", "once"),
    (of_table(shown=("taps",)), "no row has the column taps", "declare it"),
    # Gold
    (gold(), "its gold table more has no count, so that it does not add up", 'count("rows")'),
    (gold(Measure("m", "mean", "height")), "more has no count", 'count("rows")'),
    (gold(COUNT, keys=()), "more has no keys", "grouped"),
    (gold(COUNT, keys=("taps",)), "more uses the column taps", "declare it"),
    (gold(COUNT, Measure("m", "min", "taps")), "more uses the column taps", "declare it"),
    (gold(COUNT, COUNT), "more has the column stations 2 times", "otherwise"),
    (gold(count("kind")), "more has the column kind 2 times", "otherwise"),
    (gold(COUNT, Measure("m", "mean", "name")), "the mean of name, a text", "float64, int64"),
    (gold(COUNT, Measure("m", "sum", "open")), "the sum of open, a bool", "float64, int64"),
    (gold(COUNT, Measure("m", "max", "open")), "the max of open, a bool", "timestamp"),
    (gold(COUNT, Measure("m", "sum")), "more has a sum of no column", "name one"),
    (gold(COUNT, Measure("m", "median", "height")), "unknown function 'median'", "mean"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "problem", "remedy"), REFUSED)
def test_what_cannot_be_is_refused_by_one_sentence_with_a_remedy(changed, problem, remedy):
    flow = replace(STATIONS, **changed)
    with pytest.raises(FlowUnusable) as caught:
        flow.check()
    said = str(caught.value)
    assert said.startswith(f"The flow {flow.name} cannot run: ")
    assert said.endswith(f" in data/{flow.name}/.")
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert "\n" not in said


def test_what_an_api_counts_by_is_a_column():
    api = InMemory([])
    api.facets = {"by_kind": "kind", "by_taps": "taps"}
    with pytest.raises(FlowUnusable, match="its API counts by_taps by taps, which silver has not"):
        replace(STATIONS, api=api).check()


# A project's flows

FLOW = """
from dataclasses import replace
from data.medallion.flow import Blocks
from tests.stations import STATIONS
FLOW = replace(STATIONS, name={name!r}, package=__package__, blocks=Blocks({blocks}), **{more})
"""


@pytest.fixture
def add_flow(tmp_path, monkeypatch):
    """A project of flows, empty at first: what adds one."""
    name = re.sub(r"\W", "_", tmp_path.name)
    root = tmp_path / name
    root.mkdir()
    monkeypatch.setattr(project, "PROJECT", root)
    monkeypatch.syspath_prepend(str(tmp_path))

    def add(folder, name="", more="{}", blocks="", text=""):
        path = root / folder
        path.mkdir()
        name = name or folder
        blocks = blocks or ", ".join(repr(f"{layer}_{folder}") for layer in "bsg")
        path.joinpath("flow.py").write_text(
            text or FLOW.format(name=name, blocks=blocks, more=more)
        )

    return add


OTHER_GOLD = """{{"aggregates": tuple(
    replace(a, name=a.name + {name!r}) for a in STATIONS.aggregates)}}"""


def test_the_flows_of_a_project_are_its_folders(add_flow):
    add_flow("stations")
    add_flow("buoys", more=OTHER_GOLD.format(name="_buoys"))
    assert project.names() == ["buoys", "stations"]
    assert project.load("buoys").name == "buoys"
    assert [flow.name for flow in project.load_all()] == ["buoys", "stations"]


@pytest.mark.parametrize("name", ["buoys", "", "..", "Stations", "medallion", "a b", "x;rm -rf"])
def test_a_name_that_is_none_is_told_those_that_are(add_flow, name):
    add_flow("stations")
    add_flow("lake")
    with pytest.raises(FlowMissing, match=r"choose one of stations") as caught:
        project.load(name)
    said = str(caught.value)
    assert said.startswith(f"There is no flow {name!r}")
    assert ("make dataset NAME=buoys" in said) == (name == "buoys")


def test_a_project_without_any_flow_says_how_to_make_one(add_flow):
    assert project.load_all() == []
    with pytest.raises(FlowMissing, match="make dataset NAME=buoys") as caught:
        project.load("buoys")
    assert "choose one of" not in str(caught.value)


def test_two_flows_with_a_dataset_of_one_name_are_refused(add_flow):
    add_flow("buoys")
    add_flow("stations")
    with pytest.raises(
        FlowUnusable, match=r"flow stations cannot run: gold/kind_heights is the flow buoys's; name"
    ):
        project.load_all()


def test_two_flows_with_a_block_of_one_name_are_refused(add_flow):
    add_flow("buoys", more=OTHER_GOLD.format(name="_buoys"), blocks="'one', 'two', 'three'")
    add_flow("stations", blocks="'four', 'two', 'five'")
    with pytest.raises(FlowUnusable, match=r"flow stations cannot run: two is the flow buoys's"):
        project.load_all()


def test_a_flow_is_called_as_its_folder(add_flow):
    add_flow("stations", name="weather")
    with pytest.raises(FlowUnusable, match=r"The flow stations cannot run: .*'weather'.*stations/"):
        project.load("stations")


def test_a_folder_whose_flow_is_not_declared_is_refused(add_flow):
    add_flow("stations", text="X = 1\n")
    with pytest.raises(FlowUnusable, match=r"its flow\.py makes no FLOW; .* in data/stations/"):
        project.load("stations")


def test_what_cannot_be_is_refused_as_it_is_loaded(add_flow):
    add_flow("stations", more='{"aggregates": (STATIONS.aggregates[0],) * 2}')
    for load in (lambda: project.load("stations"), project.load_all):
        with pytest.raises(FlowUnusable, match="two of its datasets are gold/kind_heights"):
            load()


# Names


def test_the_names_of_a_flow_in_the_lake():
    assert [(d.path, d.object) for d in STATIONS.datasets] == [
        ("bronze/stations", "data/stations/stations_raw.json"),
        ("silver/stations", None),
        ("gold/kind_heights", "data/kind_heights/stations_aggregated.parquet"),
        ("gold/stations_opened", "data/stations_opened/stations_aggregated.parquet"),
    ]
    drawn = replace(STATIONS, **chart(formats=("svg", "png"))).datasets[-1]
    assert (drawn.path, drawn.object) == (
        "gold/stations_chart",
        "data/stations_chart/stations_aggregated.svg",
    )
    page = "data/report/stations.html"
    assert drawn.sidecars == ("data/stations_chart/stations_aggregated.png", page)
    assert [d.sidecars for d in STATIONS.gold] == [(page,), ()]
    assert STATIONS.clean is unchanged


@pytest.mark.parametrize(
    ("layer", "key", "owned"),
    [
        ("bronze", "data/stations/stations_raw.json", True),
        ("bronze", "data/stations/history/20261101T000000Z-aaaaaa.json", True),
        ("bronze", "data/stations_2/stations_raw.json", False),
        ("silver", "data/stations/country=A/year=1/0.parquet", True),
        ("silver", "data/rejected/stations_rejected.json", True),
        ("silver", "data/changes/stations_changes.json", True),
        ("silver", "data/changes/buoys_changes.json", False),
        ("gold", "data/stations_opened/_manifest.json", True),
        ("gold", "data/stations/x", False),
        ("gold", "logs/20261101T000000Z-aaaaaa-count_stations.json", True),
        ("gold", "logs/20261101T000000Z-aaaaaa-clean_stations.json", False),
        ("silver", "logs/20261101T000000Z-aaaaaa-clean_stations.json", True),
        ("silver", "logs/20261101T000000Z-aaaaaa-clean_stations_2.json", False),
    ],
)
def test_whose_an_object_is_shows_in_its_key(layer, key, owned):
    assert STATIONS.owns(layer, key) is owned
