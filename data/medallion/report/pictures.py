"""The geometry of the page's two pictures: the row flow and the map. Pure functions."""

from __future__ import annotations

import json
import math
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from ..lake.manifest import CELLS_A_DEGREE, Cells

BAND, NODE = 104.0, 7.0  # the width of the band of all rows, and the thickness of a bar
MIN_WIDTH = 1.5  # the least width of a band, so that a few rows are visible
BARS = {
    "api": (0.0, 0.0, ""),
    "bronze": (250.0, 0.0, "api"),
    "silver": (630.0, 0.0, "bronze"),
    "gold": (1033.0, 0.0, "silver"),
    "rejected": (400.0, 150.0, "bronze"),
    "duplicate": (480.0, 196.0, "bronze"),
}
"""Bar to its two coordinates (along the flow, across it), and the bar its rows come from."""

MAP_WIDTH = 1040.0
FLATTEST, TALLEST = 4.0, 1.6  # the largest and smallest ratio of a map's width to its height
MOST_DOTS = 3000
SIZES = (1, 3, 10, 32, 100)  # the smallest number of rows for each dot size
STEPS = (30, 15, 10, 5, 2, 1, 0.5)  # possible degrees between two lines of the grid


class Bar(NamedTuple):
    """A bar: a layer or a loss, with its coordinates along and across the flow, and its width."""

    name: str
    along: float
    offset: float
    width: float
    begin: tuple[float, float]  # of the band to this bar


def row_flow(rows: Mapping[str, int]) -> tuple[list[Bar], list[Bar]]:
    """The row flow, from the rows of each bar: all bars, and the bars that have a band."""
    scale = BAND / max(rows.get("bronze", 0), rows.get("silver", 0), 1)
    width = {name: max(count * scale, MIN_WIDTH) for name, count in rows.items()}
    bars, lost = [], width["silver"] if rows.get("silver") else 0.0
    for name, (along, offset, source) in BARS.items():
        if name in rows:
            begin = BARS[source or name][0] + NODE, lost if offset else 0.0
            bars.append(Bar(name, along, offset, width[name], begin))
            lost += width[name] if offset and rows[name] else 0.0
    return bars, [bar for bar in bars if bar.name != "api" and rows[bar.name]]


class Map(NamedTuple):
    """An equirectangular map, its standard parallel in the middle: land, grid lines and dots.

    A grid line is its degrees and its position on the map's edge. `dots` has one path per size:
    segments without length, which round caps turn into dots. A dot's cell is `degrees` wide.
    """

    height: int
    land: str
    meridians: list[tuple[float, float]]
    parallels: list[tuple[float, float]]
    dots: list[str]
    rows: int
    degrees: float
    fullest: tuple[tuple[float, ...], int]
    """The middle of the cell with the most rows, in degrees east and north, and its rows."""


def draw_map(cells: Cells) -> Map | None:
    """Draw the cells with rows, on the part of the globe that they need; None if there are none."""
    if not cells:
        return None
    found = Counter({tuple(map(int, place.split())): count for place, count in cells.items()})
    degrees = 1 / CELLS_A_DEGREE
    while len(found) > MOST_DOTS:
        finer, found, degrees = found, Counter(), degrees * 2
        for (x, y), count in finer.items():
            found[x // 2, y // 2] += count
    middles = {tuple((n + 0.5) * degrees for n in place): found[place] for place in sorted(found)}
    view = _View.around(*zip(*middles, strict=True))
    dots = [""] * len(SIZES)
    for middle, count in middles.items():
        dots[bisect(SIZES, count) - 1] += f"M{view.at(*middle)}h0"
    return Map(
        height=math.ceil(view.y(view.south)),
        land="".join(view.outlines()),
        meridians=[(d, view.x(d)) for d in view.graticule(view.west, view.east)],
        parallels=[(d, view.y(d)) for d in view.graticule(view.south, view.north)],
        dots=dots,
        rows=found.total(),
        degrees=degrees,
        fullest=max(middles.items(), key=itemgetter(1)),
    )


@dataclass(frozen=True)
class _View:
    """A part of the globe on the map, in degrees."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, east: Sequence[float], north: Sequence[float]) -> _View:
        """The view of some places with a margin, in proportions that fit the page."""
        x, y = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
        wide, tall = (1.12 * (max(places) - min(places)) + 2 for places in (east, north))
        squeeze = cls(0, y, 0, y).squeeze
        wide = max(wide, TALLEST * tall / squeeze) / 2
        tall = max(tall, 2 * wide * squeeze / FLATTEST) / 2
        return cls(max(x - wide, -180), max(y - tall, -90), min(x + wide, 180), min(y + tall, 90))

    @property
    def squeeze(self) -> float:
        """The length of a degree of longitude relative to one of latitude, in the middle."""
        return max(math.cos(math.radians((self.south + self.north) / 2)), 0.2)

    def x(self, longitude: float) -> float:
        return round((longitude - self.west) * MAP_WIDTH / (self.east - self.west), 1)

    def y(self, latitude: float) -> float:
        degree = MAP_WIDTH / (self.east - self.west) / self.squeeze
        return round((self.north - latitude) * degree, 1)

    def at(self, longitude: float, latitude: float) -> str:
        return f"{self.x(longitude)} {self.y(latitude)}"

    def outlines(self) -> Iterator[str]:
        """Yield the paths of the land that is at least partly in view."""
        file = Path(__file__).with_name("land.json")
        for ring in json.loads(file.read_text(encoding="utf-8"))["rings"]:
            east, north = ring[::2], ring[1::2]
            wide = min(east) < self.east and max(east) > self.west
            if wide and min(north) < self.north and max(north) > self.south:
                yield f"M{'L'.join(map(self.at, east, north))}Z"

    def graticule(self, low: float, high: float) -> Iterator[float]:
        """The degrees of the grid lines from `low` to `high`; both directions have one step."""
        widest = max(self.east - self.west, self.north - self.south)
        step = next((s for s in STEPS if widest / s >= 5), STEPS[-1])
        yield from (n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1))
