"""Finds the flows of this project by their folders, and checks their declarations.

A flow is a folder of the Mage project with a `flow.py` that defines `FLOW`.
"""

from __future__ import annotations

import importlib
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from .errors import FlowMissing, FlowUnusable
from .flow import MEDIA_TYPES, Aggregate, Chart, Flow, Measure
from .host.envfile import CHECKOUT, PROJECT
from .table import ARROW, PARTITION_TYPES, POSITION, Table

LONGEST = 41  # characters of a name
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST - 1}}}")
"""The name of a flow or a dataset. It must be valid in a folder, a key, a label and a setting."""

MAGE_FOLDERS = (
    "callbacks charts conditionals custom data_exporters data_loaders dbt extensions interactions "
    "markdowns pipelines presenters scratchpads sensors transformers utils visualizations"
)
"""The folders of a Mage project, and those that runs create in it."""

RESERVED = frozenset(
    {"lake", "medallion", "mage", "minio", "rejected", "changes", "report", "housekeeping"}
    | {*keyword.kwlist, *MAGE_FOLDERS.split()}
)
"""Names that no flow can have: its settings, folder or objects would be another's, or Python could
not import it."""

KEY_TYPES = frozenset({"text", "int64"})
"""The types of keys: their values can be unique, and are the same in JSON."""

NUMBERS = frozenset({"int64", "float64"})
ORDERED = NUMBERS | {"text", "timestamp"}
TAKES = {"sum": NUMBERS, "mean": NUMBERS, "min": ORDERED, "max": ORDERED}
"""A measure's function to the column types that it accepts."""


def names() -> list[str]:
    """The names of the project's flows, sorted."""
    return sorted(filter(_can_be, (file.parent.name for file in PROJECT.glob("*/flow.py"))))


def load(name: str) -> Flow:
    """A flow of the project, by its name.

    Raises:
        FlowMissing: there is no flow with this name.
        FlowUnusable: its declaration is invalid, or its module cannot be imported.
    """
    if name not in names():
        raise FlowMissing(name, names(), CHECKOUT and _can_be(name))
    try:
        module = importlib.import_module(f"{PROJECT.name}.{name}.flow")
    except Exception as error:
        problem = f"its flow.py cannot be imported ({type(error).__name__}: {error})"
        raise FlowUnusable(name, problem, "mend it") from error
    flow = getattr(module, "FLOW", None)
    if not isinstance(flow, Flow):
        raise FlowUnusable(name, "its flow.py makes no FLOW", "declare it")
    if flow.name != name:
        problem = f"its FLOW is called {flow.name!r}, otherwise than its folder"
        raise FlowUnusable(name, problem, "give both one name")
    check(flow)
    return flow


def load_all() -> list[Flow]:
    """All flows of the project.

    Raises:
        FlowUnusable: a declaration is invalid, or two flows have a dataset with the same name.
    """
    flows = [load(name) for name in names()]
    owner: dict[str, str] = {}
    for flow in flows:
        for mine in (*(dataset.path for dataset in flow.datasets), *_blocks(flow)):
            if (other := owner.setdefault(mine, flow.name)) != flow.name:
                raise FlowUnusable(flow.name, f"{mine} is the flow {other}'s", "name another")
    return flows


def check(flow: Flow) -> None:
    """Check a flow's declaration.

    Raises:
        FlowUnusable: the declaration is invalid; the message gives the reason and the remedy.
    """
    try:
        for problem, remedy in _problems(flow):
            raise FlowUnusable(flow.name, problem, remedy)
    except (AttributeError, TypeError) as error:
        problem = f"a part of it is of another type than it should be ({error})"
        raise FlowUnusable(flow.name, problem, "mend it") from error


Problem = tuple[str, str]  # of a flow's declaration, and its remedy
DECLARE = "declare it as a column"


def _can_be(name: str) -> bool:
    return bool(NAME.fullmatch(name)) and name not in RESERVED


def _misshapen(part: Any) -> Iterator[Problem]:
    """What should be a tuple and is none, in a declaration and its parts: a comma is missing."""
    for field in fields(part):
        value = getattr(part, field.name)
        several = value if isinstance(value, (tuple, list)) else (value,)
        if str(field.type).startswith("tuple") and several is not value and value != field.default:
            one = f'"{value}"' if isinstance(value, str) else f"{type(value).__name__}(...)"
            if isinstance(value, Measure) and not value.column:
                one = f'count("{value.name}")'
            of = f"{type(part).__name__} {getattr(part, 'name', '')}".rstrip()
            yield f"{field.name}={one} of its {of} is no tuple", f"write ({one},)"
        for inner in filter(is_dataclass, several):
            yield from _misshapen(inner)


def _problems(flow: Flow) -> Iterator[Problem]:
    yield from _misshapen(flow)
    if flow.chart:
        yield from _problems_of_chart(flow.chart, flow)
    datasets, blocks = flow.datasets, _blocks(flow)
    for name in (flow.name, *(dataset.name for dataset in datasets), *blocks):
        if not NAME.fullmatch(name):
            remedy = f"use small letters, digits and _, {LONGEST} at most"
            yield f"the name {name!r} cannot stand in a key", remedy
    if flow.name in RESERVED:
        yield f"the name {flow.name} is taken", "choose another"
    if any(dataset.name == "report" for dataset in datasets):
        yield "the name report is taken by the page", "name its dataset otherwise"
    for path in _repeated(dataset.path for dataset in datasets):
        yield f"two of its datasets are {path}", "name one of them otherwise"
    if _repeated(blocks):
        yield "two of its layers have one block", "give each a block of its own"
    yield from _problems_of_table(flow.table)
    for facet, column in flow.api.facets.items():
        if column not in flow.table:
            yield f"its API counts {facet} by {column}, which silver has not", DECLARE
    for aggregate in flow.aggregates:
        yield from _problems_of_gold(flow.table, aggregate, f"its gold table {aggregate.name}")


def _problems_of_chart(chart: Chart, flow: Flow) -> Iterator[Problem]:
    if chart.of not in {aggregate.name for aggregate in flow.aggregates}:
        yield f"its chart draws {chart.of}, which is no gold table", "name one that it has"
    if not flow.blocks.chart:
        yield "its chart has no block", "name the block that draws it"
    if not chart.formats:
        yield "its chart has no format", f"choose some of {', '.join(MEDIA_TYPES)}"
    for kind in chart.formats:
        if kind not in MEDIA_TYPES:
            yield f"its chart has the unknown format {kind!r}", f"choose {' or '.join(MEDIA_TYPES)}"


def _problems_of_table(table: Table) -> Iterator[Problem]:
    types = {column.name: column.type for column in table.columns}
    for name, times in _repeated(column.name for column in table.columns).items():
        yield f"it has the column {name} {times} times", "name one of them otherwise"
    for name in types:
        if not name.isidentifier() or name == POSITION:
            yield f"a column cannot be called {name!r}", "choose another name"
    for column in table.columns:
        if column.type not in ARROW:
            unknown = f"its column {column.name} has the unknown type {column.type!r}"
            yield unknown, f"choose one of {', '.join(ARROW)}"
        elif (column.bounds or column.decimal) and column.type not in NUMBERS:
            what = "bounds" if column.bounds else "a decimal mark"
            yield f"its column {column.name} has {what} and is no number", "leave them out"
        elif column.accepted_values is not None and column.type != "text":
            yield f"its column {column.name} has accepted values and is no text", "leave them out"
        # The functions year, month and day have this keyword.
        of = getattr(column.derive, "keywords", {}).get("of")
        if of is not None and types.get(of) != "timestamp":
            untimely = f"its column {column.name} is made of {of}, which is no timestamp"
            yield untimely, "declare that as a column of the type timestamp"
    for what, some, allowed in (
        ("coordinate", table.coordinates or (), {"float64"}),
        ("key", table.keys, KEY_TYPES),
        ("newest", (table.newest,), ORDERED),
        ("partition", table.partitions, PARTITION_TYPES),
        ("shown", table.shown, ARROW.keys()),
    ):
        for name in filter(None, some):
            if name not in types:
                yield f"no row has the column {name}, which its table names", DECLARE
            elif types[name] not in allowed:
                remedy = f"use {'one of ' * (len(allowed) > 1)}{', '.join(sorted(allowed))}"
                yield f"its {what} {name} is of the type {types[name]}", remedy
    if not table.partitions:
        yield "it has no partition column", "name at least one"
    for name in _repeated(table.partitions):
        yield f"it is partitioned by {name} twice", "name it once"
    if set(table.keys) <= {*table.partitions}:
        yield f"its partition {' and '.join(table.keys)} is its key too", "use another column"


def _problems_of_gold(table: Table, aggregate: Aggregate, gold: str) -> Iterator[Problem]:
    measures = aggregate.measures
    for name in (*aggregate.keys, *(m.column for m in measures if m.column)):
        if name not in table:
            yield f"{gold} uses the column {name}, which silver has not", DECLARE
    for name, times in _repeated((*aggregate.keys, *(m.name for m in measures))).items():
        yield f"{gold} has the column {name} {times} times", "name one of them otherwise"
    if not aggregate.keys:
        yield f"{gold} has no keys", "say by which columns rows are grouped"
    if not aggregate.count:
        yield f"{gold} has no count, so that it does not add up to silver", 'add count("rows")'
    for measure in measures:
        function, takes = measure.function, TAKES.get(measure.function)
        if function != "count" and takes is None:
            known = ", ".join(["count", *TAKES])
            yield f"{gold} has the unknown function {function!r}", f"choose one of {known}"
        elif takes and not measure.column:
            yield f"{gold} has a {function} of no column", "name one"
        elif takes and (kind := table[measure.column].type) not in takes:
            wrong = f"{gold} has the {function} of {measure.column}, a {kind}"
            yield wrong, f"use a column of {', '.join(sorted(takes))}"


def _repeated(names: Iterable[str]) -> dict[str, int]:
    """The names that are there more than once, and how many times."""
    return {name: times for name, times in Counter(names).items() if times > 1}


def _blocks(flow: Flow) -> tuple[str, ...]:
    blocks = flow.blocks
    return (blocks.bronze, blocks.silver, blocks.gold, *filter(None, (blocks.chart,)))
