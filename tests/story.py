"""Ten published versions of one lake, with refused answers, replays and older data that come back.

What a reader got at once, after each run, is what it must get for ever.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pytest

from data.breweries.flow import FLOW
from data.medallion import read
from data.medallion.layers.errors import DriftStopped
from data.medallion.stages import CHART, STAGES
from tests.world import World

SILVER, GOLD = "silver/breweries", "gold/state_brewery_type"
PLACES = [("Land", "North"), ("Land", "South"), ("Isle", "11")]


def named(name: str, count: int) -> list[dict[str, str]]:
    """Breweries of one name, so many in each of three places."""
    return [
        {"id": f"{n:09}", "name": name, "brewery_type": "micro", "country": c, "state_province": s}
        for n, (c, s) in enumerate(PLACES * count)
    ]


ANSWERS: dict[str, list[Any]] = {
    "A": [*named("A", 4), {"id": "no name"}],
    "B": named("B", 4),
    "few": named("few", 1),  # it falls by more than a run lets pass
    "less": named("less", 1),
    "C": [*named("C", 4), "no record"],
}
STORY = ["A", "B", "few", "B", "A", "A", "replay:B", "C", "less", "replay:A", "C", "B"]
"""What the API answers in each run, or which answer is replayed."""
REFUSED = {"few", "less"}
PUBLISHED = [name.removeprefix("replay:") for name in STORY if name not in REFUSED]


def publish(*, drawn: bool = True, **variables: str) -> str:
    """What a run of the pipeline does, without Mage; its snapshot."""
    done = None
    for stage in STAGES:
        if drawn or stage is not CHART:
            done = stage.run(FLOW, variables, done)
    assert done
    return str(done["snapshot"])


def rows(dataset: str, at: datetime | str | None = None) -> list[dict[str, Any]]:
    """A table, as a reader gets it."""
    found: list[dict[str, Any]] = read.table(dataset, at=at).to_pylist()
    return found


@dataclass
class Told:
    """What a reader got at some moment, at once."""

    moment: datetime
    silver: list[dict[str, Any]]
    gold: list[dict[str, Any]]
    rejected: list[dict[str, Any]]

    @classmethod
    def now(cls) -> Told:
        """What it gets now; the moment is after every publish."""
        found = rows(SILVER), rows(GOLD), read.rejected(SILVER).to_pylist()
        time.sleep(0.002)
        return cls(datetime.now(timezone.utc), *found)


@dataclass
class Story:
    """The lake after those runs."""

    world: World
    told: list[Told] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """The run that published each version."""
    refused: list[str] = field(default_factory=list)
    """The runs whose answers were refused."""

    def tell(self, drawn: bool = False) -> None:
        """Let it happen, with or without the chart."""
        lake = self.world.lake
        self.world.set(BREWERIES_STOP_ON="row_fall", MINIO_REGION="us-east-1")
        snapshots: dict[str, str] = {}
        for name in STORY:
            answer = name.removeprefix("replay:")
            self.world.api.records = ANSWERS[answer]
            if name in REFUSED:
                with pytest.raises(DriftStopped):
                    publish(drawn=drawn)
                self.refused.append(lake.version(FLOW.bronze).run)
            else:
                replayed = {} if name == answer else {"snapshot": snapshots[answer]}
                snapshots[answer] = publish(drawn=drawn, **replayed)
                self.runs.append(lake.version(FLOW.silver).run)
            self.told.append(Told.now())
