"""A second flow beside the breweries, published by hand; as a program, an exporter of both."""

import sys
from dataclasses import replace

from data.breweries.flow import FLOW
from data.medallion.flow import Blocks, Chart
from data.medallion.lake.datasets import Dataset
from data.medallion.lake.lake import Lake
from data.medallion.lake.manifest import Check, Manifest, StoredObject, sealed
from data.medallion.lake.runs import now
from monitoring import __main__
from tests import reports

STATIONS = replace(
    FLOW,
    name="lightships",  # no folder of data/ has it
    aggregates=(replace(FLOW.aggregates[0], name="stations_by_state"),),
    blocks=Blocks("load_stations", "clean_stations", "count_stations", "draw_stations"),
    chart=Chart(FLOW.chart.draw, of="stations_by_state"),
)


def manifest(dataset: Dataset, rows: int) -> Manifest:
    """One of so many rows."""
    stored = StoredObject(key=f"{dataset.prefix}a", rows=rows, bytes=9, sha256="0" * 64)
    check = Check(name="rows", expected=rows, found=rows)
    moment = now()
    told = {"created_at": moment, "published_at": moment, "objects": (stored,), "checks": (check,)}
    rows_of_it = {"rows_in": rows, "rows_out": rows}
    return reports.manifest(dataset, flow=STATIONS.name, version=1, **told, **rows_of_it)


def publish(lake: Lake, dataset: Dataset, rows: int) -> None:
    """Publish a version of a dataset by its log entry alone."""
    put_version(lake, dataset, sealed(manifest(dataset, rows)))


def put_version(lake: Lake, dataset: Dataset, content: bytes) -> None:
    """Store the next entry of a dataset's log."""
    number = max(lake.log(dataset).numbers(), default=0) + 1
    lake.store.put(dataset.layer, dataset.entry(number), content)


if __name__ == "__main__":
    vars(__main__)["load_all"] = lambda: [FLOW, STATIONS]
    sys.exit(__main__.main())
