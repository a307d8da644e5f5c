"""The flow: everything that a dataset declares, as one value in data/<name>/flow.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .lake.datasets import LAYERS, LOGS, Dataset, Layer
from .settings import FlowSettings
from .source.api import Api
from .table import Clean, Column, Table, unchanged

if TYPE_CHECKING:  # these imports cost half a second, so only the block that draws does them
    from matplotlib.figure import Figure

MEDIA_TYPES: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml"}
"""Format of a chart to its media type."""


@dataclass(frozen=True)
class Measure:
    """One number of a gold table: a function of a column over the rows of a group.

    `count` counts all rows; the others ignore rows without a value in the column.
    """

    name: str
    function: Literal["count", "sum", "mean", "min", "max"]
    column: str = ""
    about: str = ""  # what it is, for people; by default its function and column


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


@dataclass(frozen=True)
class Blocks:
    """The names of the Mage blocks that write the layers; no other flow may use them."""

    bronze: str
    silver: str
    gold: str
    chart: str = ""


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
        """The flow's settings, from the environment and `.env`.

        Raises:
            SettingError: a setting is malformed or contradicts another.
        """
        api = self.api
        return FlowSettings.load(self.prefix, api.url, api.page_size, api.requests_per_minute)
