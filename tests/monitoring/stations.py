"""A second flow beside the breweries, published by hand; as a program, an exporter of both."""

from __future__ import annotations

import sys
from dataclasses import replace

from data.breweries.flow import FLOW
from data.medallion.flow import Blocks, Chart
from data.medallion.lake.datasets import Dataset
from data.medallion.lake.manifest import Check, Manifest, Source, StoredObject, sealed
from data.medallion.lake.runs import now
from data.medallion.lake.versions import Lake
from monitoring import __main__

STATIONS = replace(
    FLOW,
    name="lightships",  # no folder of data/ has it
    aggregates=(replace(FLOW.aggregates[0], name="stations_by_state"),),
    blocks=Blocks("load_stations", "clean_stations", "count_stations", "draw_stations"),
    chart=Chart(FLOW.chart.draw, of="stations_by_state"),
)


def manifest(dataset: Dataset, rows: int) -> Manifest:
    """One of so many rows."""
    return Manifest(
        flow=STATIONS.name,
        layer=dataset.layer,
        dataset=dataset.name,
        version=1,
        oldest=1,
        run="20261122T193000Z-4f2a9c",
        snapshot="20261122T193000Z-4f2a9c",
        created_at=now(),
        published_at=now(),
        source=Source(key="k", sha256="0" * 64),
        objects=(StoredObject(key=f"{dataset.prefix}a", rows=rows, bytes=9, sha256="0" * 64),),
        rows_in=rows,
        rows_out=rows,
        rows_rejected=0,
        rows_duplicate=0,
        checks=(Check(name="rows", expected=rows, found=rows),),
        seconds=1.5,
        code_version="1",
        libraries={},
    )


def publish(lake: Lake, dataset: Dataset, rows: int) -> None:
    """Publish a version of a dataset by its log entry alone."""
    put_version(lake, dataset, sealed(manifest(dataset, rows)))


def put_version(lake: Lake, dataset: Dataset, content: bytes) -> None:
    """Store the next entry of a dataset's log."""
    number = max(lake.log(dataset).numbers(), default=0) + 1
    lake.store.put(dataset.layer, dataset.entry(number), content)


if __name__ == "__main__":
    __main__.load_all = lambda: [FLOW, STATIONS]
    sys.exit(__main__.main())
