"""The geometry of the page's two drawings: the way of the rows, and the map. Pure functions."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..lake.manifest import CELLS_A_DEGREE, Cells

BAND, NODE = 104.0, 7.0
"""How wide all rows are, and how thick a bar is."""
HAIR = 1.5  # the width of a few rows, which would not be seen
BARS = {
    "api": (0.0, 0.0, ""),
    "bronze": (250.0, 0.0, "api"),
    "silver": (630.0, 0.0, "bronze"),
    "gold": (1033.0, 0.0, "silver"),
    "rejected": (400.0, 150.0, "bronze"),
    "duplicate": (480.0, 196.0, "bronze"),
}
"""Each bar to where it stands along the way and aside of it, and where its rows come from."""

MAP_WIDTH = 1040.0
FLATTEST, TALLEST = 4.0, 1.6  # width of a map by its height
MOST_DOTS = 3000
SIZES = (1, 3, 10, 32, 100)
"""The fewest rows of each size of a dot."""
STEPS = (30, 15, 10, 5, 2, 1, 0.5)  # degrees between two lines of the graticule


class Bar(NamedTuple):
    """A layer or a loss: where it stands along the way and aside of it, and how wide it is."""

    name: str
    along: float
    aside: float
    width: float


class Band(NamedTuple):
    """The path of the rows that lead to a bar."""

    name: str
    path: str


def way(rows: Mapping[str, int]) -> tuple[list[Bar], list[Band]]:
    """Draw the way of the rows, given those of each bar that is there."""
    scale = BAND / max(rows.get("bronze", 0), rows.get("silver", 0), 1)
    width = {name: max(count * scale, HAIR if count else 0.0) for name, count in rows.items()}
    bars, bands, lost = [], [], width.get("silver", 0.0)
    for name, (along, aside, source) in BARS.items():
        if name not in rows:
            continue
        bars.append(Bar(name, along, aside, max(width[name], HAIR)))
        if source and rows[name]:
            begin = BARS[source][0] + NODE, lost if aside else 0.0
            bands.append(Band(name, _ribbon(begin, (along, aside), width[name])))
            lost += width[name] if aside else 0
    return bars, bands


def _ribbon(begin: tuple[float, float], end: tuple[float, float], width: float) -> str:
    (x0, y0), (x1, y1) = begin, end
    x, w0, w1 = (x0 + x1) / 2, y0 + width, y1 + width
    there = f"M{x0:.1f},{y0:.1f}C{x:.1f},{y0:.1f} {x:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    return f"{there}V{w1:.1f}C{x:.1f},{w1:.1f} {x:.1f},{w0:.1f} {x0:.1f},{w0:.1f}Z"


class Line(NamedTuple):
    """A meridian or a parallel: its degrees, and where it meets the map's edge."""

    degrees: float
    at: float


class Map(NamedTuple):
    """A plate carrée, its standard parallel in the middle: land, graticule and dots."""

    height: int
    land: str
    meridians: list[Line]
    parallels: list[Line]
    dots: list[str]
    """A path for each size: points of no length, which round caps make dots."""
    rows: int
    degrees: float
    """How wide a dot's cell is."""


def draw_map(cells: Cells) -> Map | None:
    """Draw where rows are, on as much of the globe as they need; None where none is anywhere."""
    if not cells:
        return None
    places = {
        (int(x), int(y)): count for (x, y), count in ((k.split(), n) for k, n in cells.items())
    }
    size, merged = 1, places
    while len(merged) > MOST_DOTS:
        size, merged = size * 2, Counter()
        for (x, y), count in places.items():
            merged[x // size, y // size] += count
    degrees = size / CELLS_A_DEGREE
    view = View.around(
        [(x + 0.5) * degrees for x, _ in merged], [(y + 0.5) * degrees for _, y in merged]
    )
    paths: dict[int, list[str]] = defaultdict(list)
    for (x, y), count in sorted(merged.items()):
        place = view.at((x + 0.5) * degrees, (y + 0.5) * degrees)
        paths[sum(count >= fewest for fewest in SIZES[1:])].append(f"M{place}h0")
    return Map(
        height=math.ceil(view.y(view.south)),
        land="".join(view.outlines()),
        meridians=[Line(d, view.x(d)) for d in view.graticule(view.west, view.east)],
        parallels=[Line(d, view.y(d)) for d in view.graticule(view.south, view.north)],
        dots=["".join(paths[number]) for number in range(len(SIZES))],
        rows=sum(merged.values()),
        degrees=degrees,
    )


@dataclass(frozen=True)
class View:
    """A part of the globe on the map, in degrees."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def around(cls, east: list[float], north: list[float]) -> View:
        """The part that shows some places with a margin, in a shape that fits the page."""
        x, y = (min(east) + max(east)) / 2, (min(north) + max(north)) / 2
        wide, tall = (1.12 * (max(places) - min(places)) + 2 for places in (east, north))
        squeeze = cls(0, y, 0, y).squeeze
        wide = max(wide, TALLEST * tall / squeeze) / 2
        tall = max(tall, 2 * wide * squeeze / FLATTEST) / 2
        return cls(max(x - wide, -180), max(y - tall, -90), min(x + wide, 180), min(y + tall, 90))

    @property
    def squeeze(self) -> float:
        """How long a degree of longitude is beside one of latitude, in the middle."""
        return max(math.cos(math.radians((self.south + self.north) / 2)), 0.2)

    def x(self, longitude: float) -> float:
        """Where a meridian is on the map."""
        return round((longitude - self.west) * MAP_WIDTH / (self.east - self.west), 1)

    def y(self, latitude: float) -> float:
        """Where a parallel is on the map."""
        degree = MAP_WIDTH / (self.east - self.west) / self.squeeze
        return round((self.north - latitude) * degree, 1)

    def at(self, longitude: float, latitude: float) -> str:
        """A place, as a path says it."""
        return f"{self.x(longitude)} {self.y(latitude)}"

    def outlines(self) -> Iterator[str]:
        """Paths of the land that is in view, at least in part."""
        file = Path(__file__).with_name("land.json")
        for ring in json.loads(file.read_text(encoding="utf-8"))["rings"]:
            east, north = ring[::2], ring[1::2]
            if (
                max(east) > self.west and min(east) < self.east
                and max(north) > self.south and min(north) < self.north
            ):  # fmt: skip
                yield f"M{'L'.join(map(self.at, east, north))}Z"

    def graticule(self, low: float, high: float) -> Iterator[float]:
        """The degrees of the lines between two, by one step for both directions."""
        widest = max(self.east - self.west, self.north - self.south)
        step = next((s for s in STEPS if widest / s >= 5), STEPS[-1])
        yield from (n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1))
