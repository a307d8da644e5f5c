"""What the dashboards are built of: panels, each with its queries, words and colours, and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="lake-prometheus")
TAG = "lake"
DATASET = "dataset"
"""The variable of the pages, and the label that it chooses by."""
FIRING = 'ALERTS{alertstate="firing"}'
GOOD, WARNING, BAD, NEUTRAL, OFF = "green", "orange", "red", "blue", "#6e7681"

Panel = TypeVar("Panel", stat.Panel, timeseries.Panel, statetimeline.Panel, table.Panel)
Rows = Mapping[str, Sequence[stat.Panel | timeseries.Panel | statetimeline.Panel | table.Panel]]
"""The panels under each heading."""
Words = Mapping[int, tuple[str, str]]
"""What is shown in place of a number, and its colour."""
Steps = Mapping[float, str]
"""From which number on which colour is shown; the first holds for all that is less, too."""


@dataclass(frozen=True)
class Query:
    """An expression of Prometheus, and the name of what it gives."""

    expr: str
    name: str


@dataclass(frozen=True)
class Looks:
    """What every panel needs."""

    title: str
    text: str
    """Its description: what is seen, and what to make of it."""
    unit: str
    width: int
    height: int = 4
    steps: Steps = field(default_factory=lambda: {0: NEUTRAL})
    words: Words = field(default_factory=dict)
    none: str = "unknown"
    """What is shown where there is no data."""
    link: tuple[str, str] | None = None
    """Title and address of where a click leads."""


def now(looks: Looks, *queries: Query) -> stat.Panel:
    """Numbers as they are now; never an old one that has no successor."""
    panel = stat.Panel().graph_mode(common.BigValueGraphMode.NONE)
    panel.color_mode(common.BigValueColorMode.BACKGROUND)
    panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    if len(queries) == 1:
        panel.text_mode(common.BigValueTextMode.VALUE)
    panel.reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]))
    return _dressed(panel, looks, [_target(query).instant() for query in queries])


def over_time(looks: Looks, *queries: Query) -> timeseries.Panel:
    """Lines; where thresholds are set, as lines too."""
    panel = timeseries.Panel().fill_opacity(10).min(0).show_points(common.VisibilityMode.NEVER)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    panel.legend(
        options.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(options.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    panel.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    if len(looks.steps) > 1:
        style = options.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return _dressed(panel, looks, [_target(query).range() for query in queries])


def states(looks: Looks, *queries: Query) -> statetimeline.Panel:
    """A band a query, coloured by its words."""
    panel = statetimeline.Panel().show_value(common.VisibilityMode.NEVER).merge_values(True)
    return _dressed(panel, looks, [_target(query).range() for query in queries])


def listed(looks: Looks, query: Query, hidden: Sequence[str]) -> table.Panel:
    """A row a series, a column a label."""
    panel = table.Panel().with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize", options={"excludeByName": dict.fromkeys(hidden, True)}
        )
    )
    target = _target(query).instant().format(PromQueryFormat.TABLE)
    return _dressed(panel, looks, [target])


def _target(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(query.expr).legend_format(query.name)


def _dressed(panel: Panel, looks: Looks, targets: Sequence[prometheus.Dataquery]) -> Panel:
    panel.title(looks.title).description(looks.text).datasource(SOURCE)
    panel.unit(looks.unit).span(looks.width).height(looks.height).no_value(looks.none)
    panel.thresholds(_thresholds(looks.steps)).mappings(_mappings(looks.words))
    if looks.link:
        title, url = looks.link
        panel.data_links([build.DashboardLink(title).url(url).target_blank("//" in url)])
    for letter, target in zip(ascii_uppercase, targets, strict=False):
        panel.with_target(target.ref_id(letter))
    return panel


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    (first, *rest) = steps.items()
    found = [dashboard.Threshold(value=None, color=first[1])]
    found += [dashboard.Threshold(value=value, color=color) for value, color in rest]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(found)


def _mappings(words: Words) -> list[dashboard.ValueMapping]:
    if not words:
        return []
    shown = {
        str(number): dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (number, (text, color)) in enumerate(words.items())
    }
    return [dashboard.ValueMap(options=shown)]


def page(
    name: str,
    title: str,
    text: str,
    rows: Rows,
    variables: Sequence[build.CustomVariable | build.QueryVariable] = (),
) -> dashboard.Dashboard:
    """A dashboard: titled rows of panels, laid out from left to right."""
    board = build.Dashboard(title).uid(f"lake-{name}").description(text).tags([TAG])
    board.time("now-7d", "now").refresh("1m").timezone(common.TimeZoneBrowser).readonly()
    board.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    board.annotation(_Alerts())
    for link in _links():
        board.link(link)
    for variable in variables:
        board.with_variable(variable)
    for heading, panels in rows.items():
        board.with_row(build.Row(heading))
        for panel in panels:
            board.with_panel(panel)
    made = board.build()
    for number, panel_or_row in enumerate(made.panels or [], 1):
        panel_or_row.id_val = number
    return made


def datasets(*, many: bool) -> build.QueryVariable:
    """A choice among the datasets that the exporter knows now: of some or all, or of one."""
    choice = build.QueryVariable(DATASET).label("Dataset").datasource(SOURCE)
    choice.query(f"label_values(lake_layer_up, {DATASET})").sort(
        dashboard.VariableSort.ALPHABETICAL_ASC
    )
    choice.refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD).allow_custom_value(False)
    if many:
        every = dashboard.VariableOption(text="All", value="$__all")
        choice.multi(True).include_all(True).all_value(".*").current(every)
    return choice


def _links() -> list[build.DashboardLink]:
    others = build.DashboardLink("Lake").type(dashboard.DashboardLinkType.DASHBOARDS)
    addresses = {
        "Newest errors": "http://127.0.0.1:9817/errors",
        "Alerts": "http://127.0.0.1:9093",
    }
    elsewhere = [
        build.DashboardLink(title)
        .type(dashboard.DashboardLinkType.LINK)
        .icon("external link")
        .url(url)
        .target_blank(True)
        for title, url in addresses.items()
    ]
    return [others.tags([TAG]).keep_time(True), *elsewhere]


class _Alerts(build.AnnotationQuery):
    """Marks where an alert fires. Prometheus' own fields of it are missing in the library."""

    def build(self) -> Any:
        self.name("Alerts").datasource(SOURCE).enable(True).icon_color(BAD)
        return _Marked(**vars(super().build()))


class _Marked(dashboard.AnnotationQuery):
    def to_json(self) -> dict[str, object]:
        return {
            **super().to_json(),
            "target": {"expr": FIRING, "refId": "Alerts"},
            "titleFormat": "{{alertname}} {{dataset}} {{layer}}",
            "tagKeys": "severity,owner",
        }
