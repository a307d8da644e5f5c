"""Checks the whole lake: every object against its manifest, every manifest against its source."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial

from ..errors import MedallionError
from ..flow import Flow
from ..host.workspace import workspace
from ..lake.datasets import LAYERS, SCRATCH, Dataset, Layer
from ..lake.errors import LakeError, StoreError
from ..lake.lease import renewed
from ..lake.manifest import Manifest, StoredObject
from ..lake.versions import Lake
from ..layers import bronze, chart, comparison, gold
from ..settings import LakeSettings
from ..work.engine import Machine
from ..writer import View
from . import tables
from .past import snapshots

TURNS = 3  # how often to check again if a run publishes meanwhile
AGAIN = "Run the pipeline again."

Checked = tuple[Dataset, Manifest | None, list[str]]
"""A dataset, its manifest (None if it cannot be read), and its problems as sentences."""


def check(lake: Lake, flows: Sequence[Flow]) -> tuple[list[Checked], list[str]]:
    """Check all datasets of some flows; returns the result per dataset, and other problems.

    If a lease is not renewed, this takes as long as the lease lasts.

    Raises:
        StoreError: the store does not respond or refuses.
    """

    def manifests() -> list[object]:
        return [lake.store.head(d.layer, d.manifest) for flow in flows for d in flow.datasets]

    for _ in range(TURNS):
        before = manifests()
        leases = renewed(lake.store)
        under_way = any(leases.values())
        checked = [one for flow in flows for one in _of_flow(lake, flow, under_way)]
        dead = "this lease is held by nobody; the next run takes it over"
        others = [f"{name}: {dead}. {AGAIN}" for name, alive in leases.items() if not alive]
        others += [] if under_way else _leftovers(lake, flows)
        if before == manifests():
            break
    return checked, others


def _of_flow(lake: Lake, flow: Flow, under_way: bool) -> Iterator[Checked]:
    """Check each dataset of a flow against its manifest, and the manifest against its source."""
    verify = {flow.bronze: bronze.verify, flow.silver: comparison.verify}
    verify |= {flow.gold[0]: gold.verify} | ({flow.chart: chart.verify} if flow.chart else {})
    source: Manifest | None = None
    with workspace() as scratch:
        view = View(lake, Machine(LakeSettings.load(), lake, scratch), flow)
        for dataset in flow.datasets:
            found: list[str] = []
            manifest: Manifest | None = None
            try:
                manifest = lake.version(dataset).manifest
                found += _of_objects(lake, flow, dataset, manifest)
                found += _of_manifest(manifest, source, under_way)
                if not found and dataset in verify:
                    verify[dataset](view)
            except StoreError:
                raise
            except MedallionError as error:
                found.append(str(error))
            # Each gold table is made from silver, and the chart from the first gold table.
            if dataset.layer != "gold" or dataset == flow.gold[0]:
                source = manifest
            yield dataset, manifest, [f"{dataset.path}: {problem}" for problem in found]


def _of_objects(lake: Lake, flow: Flow, dataset: Dataset, manifest: Manifest) -> Iterator[str]:
    """The problems of a dataset's objects, and of the objects beside them."""
    entries = list(manifest.objects)
    if dataset == flow.bronze:
        retained = snapshots(lake, flow).values()
        entries += [stat.entry for stat in retained if stat.key != dataset.object]
    yield from filter(None, lake.store.each(partial(_of_object, lake, dataset.layer), entries))
    if dataset == flow.silver:
        tables.rejected(lake, flow)


def _of_object(lake: Lake, layer: Layer, entry: StoredObject) -> str:
    try:
        deque(lake.chunks(layer, entry), maxlen=0)
    except LakeError as error:
        return str(error)
    return ""


def _of_manifest(manifest: Manifest, source: Manifest | None, under_way: bool) -> Iterator[str]:
    """The problems of a manifest: counts that do not add up, or another version than its source."""
    rows = sum(entry.rows for entry in manifest.objects)
    if rows != manifest.rows_out:
        yield f"its objects have {rows:,} rows, and it says {manifest.rows_out:,}. {AGAIN}"
    counted = manifest.rows_out + manifest.rows_rejected + manifest.rows_duplicate
    if counted != manifest.rows_in and manifest.layer != "gold":
        yield f"{counted:,} rows are accounted for of {manifest.rows_in:,}. {AGAIN}"
    for one in manifest.checks:
        if not one.held:
            yield f"the check {one.name} found {one.found:,} and not {one.expected:,}. {AGAIN}"
    if source and source.snapshot == manifest.snapshot and source.rows_out != manifest.rows_in:
        made = f"it was made from {manifest.rows_in:,} rows, and {source.layer} has"
        yield f"{made} {source.rows_out:,}. {AGAIN}"
    if source and source.snapshot != manifest.snapshot and not under_way:
        yield (
            f"it is of {manifest.snapshot} and {source.layer} of {source.snapshot}, with no run "
            "under way: the block failed or did not run; look at its newest error log, and run the "
            "pipeline again."
        )


def _leftovers(lake: Lake, flows: Sequence[Flow]) -> Iterator[str]:
    """The objects that no manifest names; only valid while no run is active."""
    for flow in flows:
        try:
            named = {entry.key for entry in lake.version(flow.silver).manifest.objects}
        except LakeError:
            continue  # `_of_flow` reports it
        stored = lake.store.listed("silver", flow.silver.prefix)
        if left := sorted(stored.keys() - named - {flow.silver.manifest}):
            what = f"{len(left):,} objects that no manifest names, such as {left[0]}"
            yield f"{flow.silver.path}: {what}. {AGAIN}"
    if scratch := lake.store.listed("silver", SCRATCH):
        what = f"{len(scratch):,} pieces of runs that died; a run a day later removes them"
        yield f"silver/{SCRATCH}: {what}."
    for layer in LAYERS:
        stored = lake.store.listed(layer, "data/")
        if left := [key for key in stored if not any(flow.owns(layer, key) for flow in flows)]:
            yield (
                f"{layer}/data/: {len(left):,} objects of no dataset of this project, such as "
                f"{left[0]}; remove them, or bring back the folder of data/ that wrote them."
            )
