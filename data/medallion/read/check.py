"""Checks the whole lake: every log, every object of the newest versions, and what bronze retains.

It goes on after each finding. The pipeline mends most of them: `AGAIN` is then the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from ..context import FlowContext
from ..errors import MedallionError
from ..flow import Flow
from ..host.workspace import workspace
from ..lake.batches import in_threads
from ..lake.datasets import DATA, LAYERS, OBJECTS, SCRATCH, Dataset
from ..lake.errors import LakeError, ManifestMissing, StoreError
from ..lake.lake import Lake
from ..lake.lease import renewed
from ..lake.manifest import Manifest
from ..settings import LakeSettings
from ..stages import STAGES
from ..work.engine import Machine

TURNS = 3  # how often to check again if a run publishes meanwhile
AGAIN = "Run the pipeline again."

Checked = tuple[Dataset, Manifest | None, list[str]]
"""A dataset, its newest version (None if it cannot be read), and its problems as sentences."""


def check(lake: Lake, flows: Sequence[Flow]) -> tuple[list[Checked], list[str]]:
    """Check all datasets of some flows; returns the result per dataset, and other problems.

    If a lease is not renewed, this takes as long as the lease lasts. StoreError is raised if the
    store does not respond or refuses.
    """

    def numbers() -> list[list[int]]:
        return [lake.log(d).numbers() for flow in flows for d in flow.datasets]

    for _ in range(TURNS):
        before = numbers()
        leases = renewed(lake.store)
        under_way = any(leases.values())
        checked = [one for flow in flows for one in _of_flow(lake, flow, under_way)]
        dead = "this lease is held by nobody; the next run takes it over"
        others = [f"{name}: {dead}. {AGAIN}" for name, alive in leases.items() if not alive]
        others += [] if under_way else _leftovers(lake, flows, checked)
        if before == numbers():
            break
    return checked, others


def _of_flow(lake: Lake, flow: Flow, under_way: bool) -> Iterator[Checked]:
    """Check each dataset of a flow against its log, and its version against its source."""
    versions: dict[Dataset | None, Manifest] = {}
    verify = {dataset: stage.verify_alone for stage in STAGES for dataset in stage.datasets(flow)}
    with workspace() as scratch:
        context = FlowContext(lake, Machine(LakeSettings.load(), lake, scratch), flow)
        for dataset in flow.datasets:
            found = [*_of_log(lake, dataset)]
            try:
                version = versions[dataset] = lake.version(dataset)
                damaged = [*_of_objects(lake, dataset, version)]
                made_from = versions.get(flow.source_of(dataset))
                found += [*damaged, *_of_version(version, made_from, under_way)]
                if not damaged:
                    verify[dataset](context, dataset)
            except MedallionError as error:
                found += {str(error)} - {*found}
            said = [f"{dataset.path}: {problem}" for problem in found]
            yield dataset, versions.get(dataset), said


def _of_log(lake: Lake, dataset: Dataset) -> Iterator[str]:
    """The problems of a dataset's log entries, and of the copy of the newest one."""
    log, name = lake.log(dataset), f"{dataset.layer}/{dataset.manifest}"
    numbers = log.numbers()
    first, last = min(numbers, default=0), max(numbers, default=0)
    with suppress(LakeError, StoreError):
        newest, content = log.newest_content()
        first, last = newest.oldest, newest.version
        if lake.store.get(dataset.layer, dataset.manifest) != content:
            yield f"{name} is not the newest entry of the log. {AGAIN}"
        if lake.store.get(dataset.layer, dataset.entry(last)) != content:
            yield f"{dataset.layer}/{dataset.entry(last)} is not as it was written. {AGAIN}"
    every = range(first, last)
    problems = in_threads(lake.store.connections, log.problem, every)
    for number, problem in zip(every, problems, strict=True):
        entry = f"{dataset.layer}/{dataset.entry(number)}"
        if isinstance(problem, ManifestMissing):
            yield f"{entry} is missing: what that version was is lost. {AGAIN}"
        elif isinstance(problem, StoreError):
            yield str(problem)
        elif problem:
            remedy = "remove it, and a later run notes that"
            yield f"{entry} cannot be read, and what that version was is lost: {remedy}."


def _of_objects(lake: Lake, dataset: Dataset, version: Manifest) -> Iterator[str]:
    """The problems of a version's objects, of their copies, and of the retained snapshots."""
    copies = [copy.as_stored for copy in version.copies]
    retained = [snapshot.object for snapshot in version.retained]
    entries = [*version.named.values(), *copies, *retained]
    problems = in_threads(lake.store.connections, partial(lake.problem, dataset.layer), entries)
    for entry, problem in zip(entries, problems, strict=True):
        if problem and entry in retained:
            yield f"{problem} If no other copy is whole, it says what is lost, and what to remove."
        elif problem and entry in copies:
            yield f"{dataset.layer}/{entry.key} is not the copy that its version names. {AGAIN}"
        elif problem:
            yield str(problem)


def _of_version(version: Manifest, source: Manifest | None, under_way: bool) -> Iterator[str]:
    """The problems of a version: counts that do not add up, or another one than its source's."""
    rows = sum(entry.rows for entry in version.objects)
    if rows != version.rows_out:
        yield f"its objects have {rows:,} rows, and it says {version.rows_out:,}. {AGAIN}"
    counted = version.rows_out + version.rows_rejected + version.rows_duplicate
    if counted != version.rows_in and version.layer != "gold":
        yield f"{counted:,} rows are accounted for of {version.rows_in:,}. {AGAIN}"
    for one in version.checks:
        if not one.held:
            yield f"the check {one.name} found {one.found:,} and not {one.expected:,}. {AGAIN}"
    if source and source.snapshot == version.snapshot and source.rows_out != version.rows_in:
        made = f"it was made from {version.rows_in:,} rows, and {source.layer} has"
        yield f"{made} {source.rows_out:,}. {AGAIN}"
    if source and source.snapshot != version.snapshot and not under_way:
        differ = f"it is of {version.snapshot} and {source.layer} of {source.snapshot}"
        why = "with no run under way: the block failed or did not run"
        yield f"{differ}, {why}; look at its newest error log, and run the pipeline again."


def _leftovers(lake: Lake, flows: Sequence[Flow], checked: Sequence[Checked]) -> Iterator[str]:
    """The objects that no version names; only valid while no run is active."""
    for dataset, version, _ in checked:
        if version is None:
            continue  # `_of_flow` reports it
        named = {*version.named, *(snapshot.object.key for snapshot in version.retained)}
        apart = (dataset.manifest, dataset.log)
        for prefix in filter(None, (dataset.folder, dataset.objects)):
            stored = lake.store.listed(dataset.layer, prefix)
            if unnamed := sorted(k for k in stored.keys() - named if not k.startswith(apart)):
                what = f"{len(unnamed):,} objects that no version names, such as {unnamed[0]}"
                yield f"{dataset.path}: {what}. {AGAIN}"
    if scratch := lake.store.listed("silver", SCRATCH):
        what = f"{len(scratch):,} pieces of runs that died"
        yield f"silver/{SCRATCH}: {what}; a run on a cluster removes them a day later."
    for layer in LAYERS:
        stored = {**lake.store.listed(layer, DATA), **lake.store.listed(layer, OBJECTS)}
        if left := [key for key in stored if not any(flow.owns(layer, key) for flow in flows)]:
            what = f"{len(left):,} objects of no dataset of this project, such as {left[0]}"
            remedy = "remove them, or bring back the folder of data/ that wrote them"
            yield f"{layer}: {what}; {remedy}."
