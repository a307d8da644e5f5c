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
    of_map = of_table(coordinates=("height", "height"))
    replace(STATIONS, **chart(formats=("svg", "png")), **of_map).check()


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
COUNTED_BY_TAPS = InMemory([])
COUNTED_BY_TAPS.facets = {"by_kind": "kind", "by_taps": "taps"}
REFUSED = [
    # Names
    ({"name": "Stations"}, "the name 'Stations' cannot stand in a key"),
    ({"name": "estações"}, "the name 'estações' cannot stand in a key"),
    ({"name": ""}, "the name '' cannot stand in a key"),
    ({"name": "x" * 42}, "cannot stand in a key"),
    ({"name": "medallion"}, "the name medallion is taken"),
    # Its folder in silver would hold what all flows put beside theirs.
    ({"name": "rejected"}, "the name rejected is taken"),
    ({"name": "import"}, "the name import is taken"),
    (gold(COUNT, name="by kind"), "'by kind' cannot stand in a key"),
    (gold(COUNT, name="kind_heights"), "two of its datasets are gold/kind_heights"),
    (chart(name="kind_heights"), "two of its datasets"),
    (chart(name="a-b"), "'a-b' cannot stand in a key"),
    ({"blocks": Blocks("b", "s", "s")}, "two of its layers have one block"),
    ({"blocks": Blocks("b", "s", "g/h")}, "'g/h' cannot stand in a key"),
    (chart(of="heights"), "its chart draws heights"),
    (chart(formats=()), "its chart has no format"),
    (chart(block=""), "its chart has no block"),
    (chart(formats=("pdf",)), "format 'pdf'"),
    ({"api": COUNTED_BY_TAPS}, "its API counts by_taps by taps, which silver has not"),
    # Tuples
    (of_table(partitions=("country")), 'partitions="country" of its Table'),
    (of_table(columns=Column("x")), "columns=Column(...) of its Table"),
    ({"table": column(name="x", sources="a.b")}, 'sources="a.b" of its Column x'),
    ({"table": column(name="x", bounds=1)}, "bounds=int(...) of its Column x"),
    ({"aggregates": HEIGHTS}, "aggregates=Aggregate(...) of its Flow"),
    (gold(COUNT, keys="kind"), 'keys="kind" of its Aggregate more'),
    (of_gold(count("rows")), 'measures=count("rows") of its Agg'),
    (chart(formats="png"), 'formats="png" of its Chart'),
    (gold("rows"), "of another type than it should be ('str' object has no"),
    # The table
    ({"table": column(name="phone")}, "it has the column phone 2 times"),
    ({"table": column(name="two words")}, "cannot be called 'two words'"),
    ({"table": column(name="position")}, "cannot be called 'position'"),
    ({"table": column(name="x", type="date")}, "x has the unknown type 'date'"),
    ({"table": column(name="x", bounds=(0, 1))}, "x has bounds and is no number"),
    ({"table": column(name="x", type="bool", accepted_values=KINDS)}, "x has accepted"),
    ({"table": column(name="x", derive=month("closed_at"))}, "x is made of closed_at"),
    ({"table": column(name="x", derive=month("name"))}, "x is made of name"),
    ({"table": column(name="x", decimal=",")}, "x has a decimal mark and is no number"),
    (of_table(key=("name", "day")), "no row has the column day"),
    (of_table(key=("country", "year")), "its partition country and year is its key"),
    (of_table(key="height"), "its key height is of the type float64"),
    (of_table(newest="updated_at"), "no row has the column updated_at"),
    (of_table(newest="open"), "its newest open is of the type bool"),
    (of_table(partitions=("country", "state")), "no row has the column state"),
    (of_table(partitions=()), "it has no partition column"),
    (of_table(partitions=("height",)), "its partition height is of the type float64"),
    (of_table(partitions=("number",)), "its partition number is its key too"),
    (of_table(partitions=("year", "year")), "it is partitioned by year twice"),
    (of_table(shown=("taps",)), "no row has the column taps"),
    (of_table(coordinates=("height", "depth")), "no row has the column depth"),
    (of_table(coordinates=("height", "name")), "type text"),
    # Gold
    (gold(), "its gold table more has no count, so that it does not add up"),
    (gold(Measure("m", "mean", "height")), "more has no count"),
    (gold(COUNT, keys=()), "more has no keys"),
    (gold(COUNT, keys=("taps",)), "more uses the column taps"),
    (gold(COUNT, Measure("m", "min", "taps")), "more uses the column taps"),
    (gold(COUNT, COUNT), "more has the column stations 2 times"),
    (gold(count("kind")), "more has the column kind 2 times"),
    (gold(COUNT, Measure("m", "mean", "name")), "the mean of name, a text"),
    (gold(COUNT, Measure("m", "max", "open")), "the max of open, a bool"),
    (gold(COUNT, Measure("m", "sum")), "more has a sum of no column"),
    (gold(COUNT, Measure("m", "median", "height")), "unknown function 'median'"),
]


@pytest.mark.parametrize(("changed", "problem"), REFUSED)
def test_what_cannot_be_is_refused_by_one_sentence_with_a_remedy(changed, problem):
    flow = replace(STATIONS, **changed)
    with pytest.raises(FlowUnusable) as caught:
        flow.check()
    error = caught.value
    assert error.flow == flow.name and problem in error.problem and error.remedy
    assert re.fullmatch(rf"The flow {flow.name} cannot run: .* in data/{flow.name}/\.", str(error))


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
        (root / folder).mkdir()
        blocks = blocks or ", ".join(repr(f"{layer}_{folder}") for layer in "bsg")
        text = text or FLOW.format(name=name or folder, blocks=blocks, more=more)
        (root / folder / "flow.py").write_text(text)

    return add


OTHER_GOLD = """{"aggregates": tuple(
    replace(a, name=f"{a.name}_buoys") for a in STATIONS.aggregates)}"""


def test_the_flows_of_a_project_are_its_folders(add_flow):
    add_flow("stations")
    add_flow("buoys", more=OTHER_GOLD)
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


@pytest.mark.parametrize(
    ("buoys", "stations", "taken"),
    [
        ({}, {}, "gold/kind_heights"),
        ({"more": OTHER_GOLD, "blocks": "'one', 'two', 'three'"},
         {"blocks": "'four', 'two', 'five'"}, "two"),
    ],
    ids=["a dataset", "a block"],
)  # fmt: skip
def test_two_flows_that_have_a_name_in_common_are_refused(add_flow, buoys, stations, taken):
    add_flow("buoys", **buoys)
    add_flow("stations", **stations)
    with pytest.raises(FlowUnusable) as caught:
        project.load_all()
    assert caught.value.flow == "stations"
    assert caught.value.problem.startswith(f"{taken} is the flow buoys's")


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"name": "weather"}, "'weather'"),
        ({"text": "X = 1\n"}, "makes no FLOW"),
        ({"more": '{"aggregates": (STATIONS.aggregates[0],) * 2}'}, "two of its datasets are"),
    ],
)
def test_a_flow_that_cannot_be_is_refused_as_it_is_loaded(add_flow, declared, problem):
    add_flow("stations", **declared)
    for load in (lambda: project.load("stations"), project.load_all):
        with pytest.raises(FlowUnusable) as caught:
            load()
        assert caught.value.flow == "stations" and problem in caught.value.problem


# Names


def test_the_datasets_of_a_flow_have_its_names():
    assert [(d.path, d.object) for d in STATIONS.datasets] == [
        ("bronze/stations", "data/stations/stations_raw.json"),
        ("silver/stations", None),
        ("gold/kind_heights", "data/kind_heights/stations_aggregated.parquet"),
        ("gold/stations_opened", "data/stations_opened/stations_aggregated.parquet"),
    ]
    drawn = replace(STATIONS, **chart(formats=("svg", "png"))).datasets[-1]
    folder, page = "data/stations_chart", "data/report/stations.html"
    assert (drawn.path, drawn.object) == (
        "gold/stations_chart",
        f"{folder}/stations_aggregated.svg",
    )
    assert drawn.sidecars == (f"{folder}/stations_aggregated.png", page)
    assert [d.sidecars for d in STATIONS.gold] == [(page,), ()]
    assert STATIONS.clean is unchanged


@pytest.mark.parametrize(
    ("layer", "key", "owned"),
    [
        ("bronze", "data/stations/stations_raw.json", True),
        ("bronze", "data/stations_2/stations_raw.json", False),
        ("silver", "data/stations/country=A/year=1/0.parquet", True),
        ("silver", "data/changes/stations_changes.json", True),
        ("silver", "data/changes/buoys_changes.json", False),
        ("gold", "data/stations_opened/_manifest.json", True),
        ("gold", "data/stations/x", False),
        ("gold", "logs/20261101T000000Z-aaaaaa-clean_stations.json", False),
        ("silver", "logs/20261101T000000Z-aaaaaa-clean_stations.json", True),
        ("silver", "logs/20261101T000000Z-aaaaaa-clean_stations_2.json", False),
    ],
)
def test_whose_an_object_is_shows_in_its_key(layer, key, owned):
    assert STATIONS.owns(layer, key) is owned
