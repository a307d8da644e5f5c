"""The flow: everything that a dataset declares, as one value in data/<name>/flow.py."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .errors import FlowUnusable
from .lake.datasets import LAYERS, LOGS, Dataset, Layer
from .problems import DECLARE, Problem, misshapen, repeated
from .settings import FlowSettings
from .source.api import Api
from .table import NUMBERS, ORDERED, Clean, Column, Table, unchanged

if TYPE_CHECKING:  # these imports cost half a second, so only the block that draws does them
    from matplotlib.figure import Figure

MEDIA_TYPES: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml"}
"""Format of a chart to its media type."""

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

TAKES = {"sum": NUMBERS, "mean": NUMBERS, "min": ORDERED, "max": ORDERED}
"""A measure's function to the column types that it accepts."""


@dataclass(frozen=True)
class Measure:
    """A number of a gold table; `count` counts all rows, others those with a value."""

    name: str
    function: Literal["count", "sum", "mean", "min", "max"]
    column: str = ""
    about: str = ""  # what it is, for people; by default its function and column

    @property
    def written(self) -> str:
        """How a declaration writes it, in short."""
        return "Measure(...)" if self.column else f'count("{self.name}")'


def count(name: str, about: str = "") -> Measure:
    """The measure of how many rows a group has."""
    return Measure(name, "count", about=about)


@dataclass(frozen=True)
class Aggregate:
    """A gold table: silver's rows in groups, one row per group, sorted by the keys."""

    name: str
    keys: tuple[str, ...]  # the columns to group by; they may be partition columns
    measures: tuple[Measure, ...]  # one must be a count, which must add up to silver's rows

    @property
    def count(self) -> str:
        """The name of the measure that adds up to silver's rows."""
        return next((m.name for m in self.measures if m.function == "count"), "")

    def columns(self, table: Table) -> tuple[Column, ...]:
        """The columns of the gold table, its keys, then its measures; they are read from silver."""
        silver = {column.name: column for column in table.located}
        keys = (replace(silver[name], sources=(name,), derive=None) for name in self.keys)
        return (*keys, *(_measured(measure, table) for measure in self.measures))

    def problems(self, table: Table) -> Iterator[Problem]:
        """What is wrong with the declaration, beside that of silver's table."""
        gold = f"its gold table {self.name}"
        measures = self.measures
        for name in (*self.keys, *(m.column for m in measures if m.column)):
            if name not in table:
                yield f"{gold} uses the column {name}, which silver has not", DECLARE
        for name, times in repeated((*self.keys, *(m.name for m in measures))).items():
            yield f"{gold} has the column {name} {times} times", "name one of them otherwise"
        if not self.keys:
            yield f"{gold} has no keys", "say by which columns rows are grouped"
        if not self.count:
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


def can_be(name: str) -> bool:
    """Whether a flow can have a name."""
    return bool(NAME.fullmatch(name)) and name not in RESERVED


def _measured(measure: Measure, table: Table) -> Column:
    if measure.function == "count":
        about = measure.about or "How many rows of silver the group has"
        return Column(measure.name, "int64", ("rows",), required=True, about=about)
    of = table[measure.column]
    return Column(
        measure.name,
        "float64" if measure.function == "mean" else of.type,
        (of.name,),
        required=of.name in table.required,
        about=measure.about or f"The {measure.function} of {of.name}",
    )


@dataclass(frozen=True)
class Chart:
    """A picture of a gold table."""

    draw: Callable[..., Figure]  # of the gold table, a caption and, if it takes it, `language`
    of: str  # the name of the gold table to draw
    name: str = ""  # of the chart's dataset; by default `<flow>_chart`
    formats: tuple[Literal["png", "svg"], ...] = ("png",)

    def problems(self, flow: Flow) -> Iterator[Problem]:
        """What is wrong with the declaration, beside that of the flow."""
        if self.of not in {aggregate.name for aggregate in flow.aggregates}:
            yield f"its chart draws {self.of}, which is no gold table", "name one that it has"
        if not flow.blocks.chart:
            yield "its chart has no block", "name the block that draws it"
        if not self.formats:
            yield "its chart has no format", f"choose some of {', '.join(MEDIA_TYPES)}"
        for kind in self.formats:
            if kind not in MEDIA_TYPES:
                remedy = f"choose {' or '.join(MEDIA_TYPES)}"
                yield f"its chart has the unknown format {kind!r}", remedy


@dataclass(frozen=True)
class Blocks:
    """The names of the Mage blocks that write the layers; no other flow may use them."""

    bronze: str
    silver: str
    gold: str
    chart: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the blocks that there are."""
        return (self.bronze, self.silver, self.gold, *filter(None, (self.chart,)))


@dataclass(frozen=True)
class Flow:
    """A flow from an API to the chart, and the names of its objects in the lake."""

    name: str  # names its folder, Mage pipeline and objects; in capitals, it begins its settings
    package: str  # the Python package of its folder: `__package__`
    api: Api
    table: Table
    aggregates: tuple[Aggregate, ...]
    blocks: Blocks
    clean: Clean = unchanged
    chart: Chart | None = None

    @cached_property
    def bronze(self) -> Dataset:
        """The records of the API, as received."""
        fixed, folder = f"data/{self.name}/{self.name}_raw.json", f"data/{self.name}/history/"
        return Dataset("bronze", self.name, self.blocks.bronze, fixed, folder=folder)

    @cached_property
    def silver(self) -> Dataset:
        """The cleaned rows, by partition; beside them the rejects and the change report."""
        sidecars, folder = (self.rejected, self.changes), f"data/{self.name}/"
        return Dataset("silver", self.name, self.blocks.silver, sidecars=sidecars, folder=folder)

    @cached_property
    def gold(self) -> tuple[Dataset, ...]:
        """One dataset per aggregate; beside the first one the page, if there is no chart."""
        block = self.blocks.gold
        # The last block writes the page.
        page = () if self.chart else (self.report,)
        stem = f"{self.name}_aggregated.parquet"
        return tuple(
            Dataset("gold", a.name, block, f"data/{a.name}/{stem}", () if number else page)
            for number, a in enumerate(self.aggregates)
        )

    @cached_property
    def chart_dataset(self) -> Dataset | None:
        """The picture in its first format; beside it the other formats and the page."""
        if not self.chart:
            return None
        name = self.chart.name or f"{self.name}_chart"
        stem = f"data/{name}/{self.name}_aggregated"
        first, *others = (f"{stem}.{kind}" for kind in self.chart.formats)
        return Dataset("gold", name, self.blocks.chart, first, (*others, self.report))

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """All datasets, in the order in which a run writes them."""
        return (
            self.bronze,
            self.silver,
            *self.gold,
            *((self.chart_dataset,) if self.chart_dataset else ()),
        )

    def source_of(self, dataset: Dataset) -> Dataset | None:
        """The dataset that another one is made from; None for bronze, which the API gives."""
        if dataset in self.gold:
            return self.silver
        if dataset == self.chart_dataset:
            return next(one for one in self.gold if self.chart and one.name == self.chart.of)
        return self.bronze if dataset == self.silver else None

    @cached_property
    def layers(self) -> Mapping[Layer, tuple[Dataset, ...]]:
        """The datasets of each layer, the main one first."""
        return {one: tuple(d for d in self.datasets if d.layer == one) for one in LAYERS}

    @property
    def rejected(self) -> str:
        """The key of the rejects, in silver's bucket."""
        return f"data/rejected/{self.name}_rejected.json"

    @property
    def changes(self) -> str:
        """The key of the change report, in silver's bucket."""
        return f"data/changes/{self.name}_changes.json"

    @property
    def report(self) -> str:
        """The key of the flow's page, in gold's bucket."""
        return f"data/report/{self.name}.html"

    @property
    def prefix(self) -> str:
        """The prefix of the flow's settings."""
        return f"{self.name.upper()}_"

    def owns(self, layer: Layer, key: str) -> bool:
        """Whether an object belongs to this flow, by its key."""
        mine = self.layers[layer]
        if key.startswith(LOGS):
            return any(key.endswith(f"-{dataset.block}.json") for dataset in mine)
        return any(key.startswith((d.prefix, d.objects)) or key in d.sidecars for d in mine)

    def load_settings(self) -> FlowSettings:
        """The flow's settings; errors as of `FlowSettings.load`."""
        api = self.api
        return FlowSettings.load(self.prefix, api.url, api.page_size, api.requests_per_minute)

    def check(self) -> None:
        """Check the declaration; FlowUnusable, with the reason and the remedy, if it is invalid."""
        try:
            for problem, remedy in self._problems():
                raise FlowUnusable(self.name, problem, remedy)
        except (AttributeError, TypeError) as error:
            problem = f"a part of it is of another type than it should be ({error})"
            raise FlowUnusable(self.name, problem, "mend it") from error

    def _problems(self) -> Iterator[Problem]:
        yield from misshapen(self)
        if self.chart:
            yield from self.chart.problems(self)
        datasets, blocks = self.datasets, self.blocks.names
        for name in (self.name, *(dataset.name for dataset in datasets), *blocks):
            if not NAME.fullmatch(name):
                remedy = f"use small letters, digits and _, {LONGEST} at most"
                yield f"the name {name!r} cannot stand in a key", remedy
        if self.name in RESERVED:
            yield f"the name {self.name} is taken", "choose another"
        if any(dataset.name == "report" for dataset in datasets):
            yield "the name report is taken by the page", "name its dataset otherwise"
        for path in repeated(dataset.path for dataset in datasets):
            yield f"two of its datasets are {path}", "name one of them otherwise"
        if repeated(blocks):
            yield "two of its layers have one block", "give each a block of its own"
        yield from self.table.problems()
        for facet, column in self.api.facets.items():
            if column not in self.table:
                yield f"its API counts {facet} by {column}, which silver has not", DECLARE
        for aggregate in self.aggregates:
            yield from aggregate.problems(self.table)
