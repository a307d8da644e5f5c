"""The chart: the largest locations by type, and next to them all countries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the import costs half a second, so only the block that draws does it
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from data.medallion.report.language import Language

KIND, LOCATION = "brewery_type", ["country", "state"]

LOCATIONS = 25  # more bars cannot be read
TYPES = 8  # more colours look alike
COUNTRIES = 25
FEWEST_BARS = 8  # with fewer bars, they do not get wider
OTHER_COLOUR, COUNTRY_COLOUR = "#c4c4c4", "#4c72b0"
INCHES, DPI = (16, 9), 100
# Fixed, with labels cut to fit: letting matplotlib find them draws everything twice.
MARGINS = {"left": 0.15, "right": 0.985, "top": 0.84, "bottom": 0.105, "wspace": 0.22}
LABEL_CHARACTERS, LEGEND_CHARACTERS = 30, 20
TITLE_PAD, LEGEND_COLUMNS = 44, 5  # points between title and bars, for a legend of two rows


def draw(counts: pd.DataFrame, caption: str, language: Language) -> Figure:
    """The figure for gold's table.

    Args:
        counts: `country`, `state`, `brewery_type`, `brewery_count`, one row per group.
        caption: the date of the data and their source.
        language: the language of the words and numbers; the names of the data stay as they are.
    """
    import seaborn
    from matplotlib import pyplot

    counts = counts.fillna({KIND: language("no_type")})
    total = int(counts["brewery_count"].sum())
    with seaborn.axes_style("whitegrid", {"axes.edgecolor": "#dddddd", "grid.color": "#eeeeee"}):
        figure, (left, right) = pyplot.subplots(
            1, 2, figsize=INCHES, dpi=DPI, width_ratios=(3, 2), gridspec_kw=MARGINS
        )
    places, countries = counts.groupby(LOCATION).ngroups, counts[LOCATION[0]].nunique()
    figure.suptitle(
        language("chart_title", total=total, places=places, countries=countries),
        fontsize=20,
        fontweight="bold",
        x=0.01,
        ha="left",
    )
    figure.supxlabel(caption, fontsize=10, color="#666666", x=0.01, ha="left")
    if total:
        _draw_locations(left, counts, language)
        _draw_countries(right, counts, language)
    for axes in (left, right):
        axes.set_ylim(max(axes.get_yticks().size, FEWEST_BARS) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(language("breweries"))
        axes.xaxis.set_major_formatter(lambda count, _: language.number(count))
        seaborn.despine(ax=axes, left=True, bottom=True)
    return figure


def _draw_locations(axes: Axes, counts: pd.DataFrame, language: Language) -> None:
    """The largest locations, one bar each, stacked by type."""
    import seaborn
    from matplotlib.patches import Rectangle

    by_type = counts.groupby(KIND)["brewery_count"].sum().sort_values(ascending=False)
    named = list(by_type.index[:TYPES])
    others = by_type.iloc[TYPES:]
    other = language("other_types", count=len(others))
    colours = dict(zip(named, seaborn.color_palette("colorblind", len(named)), strict=True))
    colours[other] = OTHER_COLOUR
    totals = by_type[named].to_dict() | ({other: others.sum()} if len(others) else {})

    shown = counts[KIND].where(counts[KIND].isin(named), other)
    wide = counts.pivot_table(
        index=LOCATION, columns=shown, values="brewery_count", aggfunc="sum", fill_value=0
    )
    wide = wide.loc[wide.sum(axis=1).sort_values(ascending=False, kind="stable").index[:LOCATIONS]]
    wide = wide[[kind for kind in totals if kind in wide]]
    _draw_bars(axes, wide, colours, language)
    axes.set_title(language("largest", places=len(wide)), loc="left", fontsize=13, pad=TITLE_PAD)
    axes.legend(
        [Rectangle((0, 0), 1, 1, color=colours[kind]) for kind in wide],
        [
            f"{_shorten(str(kind), LEGEND_CHARACTERS)} ({language.number(totals[kind])})"
            for kind in wide
        ],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1),  # above the bars, where no data can be
        ncols=LEGEND_COLUMNS,
        columnspacing=1,
        handlelength=1,
        handleheight=1,
        borderpad=0,
        frameon=False,
        fontsize=10,
    )


def _draw_bars(
    axes: Axes, wide: pd.DataFrame, colours: Mapping[str, Any], language: Language
) -> None:
    """A row of the table as a bar, a column as a segment of each."""
    from matplotlib.collections import PolyCollection

    labels = [_shorten(f"{state}, {country}") for country, state in wide.index]
    axes.set_yticks(range(len(wide)), labels)
    lengths = wide.to_numpy()
    ends = lengths.cumsum(axis=1)
    row, column = lengths.nonzero()
    # One collection of all segments: bars of their own cost several times as much to draw.
    corners = zip(row, (ends - lengths)[row, column], ends[row, column], strict=True)
    segments = PolyCollection(
        [[(x0, y - 0.4), (x1, y - 0.4), (x1, y + 0.4), (x0, y + 0.4)] for y, x0, x1 in corners],
        facecolors=[colours[wide.columns[n]] for n in column],
        linewidths=0,
    )
    axes.add_collection(segments)
    for y, length in enumerate(ends[:, -1]):
        text = f" {language.number(length)}"
        axes.annotate(text, (length, y), va="center", fontsize=9, color="#444444")
    axes.set_xlim(0, ends.max() * 1.06)


def _draw_countries(axes: Axes, counts: pd.DataFrame, language: Language) -> None:
    """All countries, or the largest and the rest together."""
    by_country = counts.groupby(LOCATION[0])["brewery_count"].sum().sort_values(ascending=False)
    rest = by_country.iloc[COUNTRIES - 1 :]
    if len(by_country) > COUNTRIES:
        by_country = by_country.iloc[: COUNTRIES - 1]
        by_country[language("other_countries", count=len(rest))] = rest.sum()
    axes.barh(range(len(by_country)), by_country, color=COUNTRY_COLOUR, linewidth=0)
    axes.set_yticks(range(len(by_country)), [_shorten(name) for name in by_country.index])
    total = by_country.sum()
    for y, length in enumerate(by_country):
        share = f"  ({language.percent(length, total)})" if length >= total / 1000 else ""
        text = f" {language.number(length)}{share}"
        axes.annotate(text, (length, y), va="center", fontsize=9, color="#444444")
    axes.set_xlim(0, by_country.max() * 1.25)
    axes.set_title(language("by_country"), loc="left", fontsize=13, pad=TITLE_PAD)


def _shorten(label: str, most: int = LABEL_CHARACTERS) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"
