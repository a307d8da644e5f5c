"""The whole lake checked: every object against its manifest, every manifest against its source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import MedallionError
from ..flow import Flow
from ..host.workspace import workspace
from ..lake.datasets import LAYERS, SCRATCH, Dataset
from ..lake.errors import LakeError, StoreError
from ..lake.lease import Content
from ..lake.manifest import Manifest, StoredObject
from ..lake.versions import Lake
from ..layers import bronze, chart, comparison, gold
from ..work.shuffle import Folder, Place
from ..writer import View
from . import tables
from .history import answers
from .past import Here

TURNS = 3  # looks at a lake that is published meanwhile
AGAIN = "Run the pipeline again."
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Finding:
    """What is wrong, and what to do."""

    dataset: str
    what: str

    def __str__(self) -> str:
        return f"{self.dataset}: {self.what}"


@dataclass(frozen=True)
class Checked:
    """A dataset as it was found."""

    dataset: Dataset
    manifest: Manifest | None
    findings: list[Finding]


def check(lake: Lake, flows: Sequence[Flow]) -> tuple[list[Checked], list[Finding]]:
    """Look at every dataset of some flows; what is wrong with each, and with what is no dataset's.

    A lease that is not renewed for its length is nobody's: where there is one, that is waited for.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    for turn in range(TURNS):
        before = _published(lake, flows)
        under_way, dead = _leases(lake)
        checked = [found for flow in flows for found in _of_flow(lake, flow, bool(under_way))]
        others = [*dead, *(() if under_way else _leftovers(lake, flows))]
        clean = not others and not any(one.findings for one in checked)
        if clean or before == _published(lake, flows) or turn == TURNS - 1:
            break
    return checked, others


def _published(lake: Lake, flows: Sequence[Flow]) -> list[object]:
    return [lake.store.head(d.layer, d.manifest) for flow in flows for d in flow.datasets]


def _leases(lake: Lake) -> tuple[set[str], list[Finding]]:
    """The leases that are renewed, and those that are held by nobody."""

    def held() -> dict[str, str]:
        found = ((layer, lake.store.listed(layer, "leases/")) for layer in LAYERS)
        return {
            f"{layer}/{key}": listed.etag
            for layer, keys in found
            for key, listed in keys.items()
            if not key.endswith(".race")
        }

    first = last = held()
    contents = {name: lake.store.get(*name.split("/", 1)) for name in first}  # type: ignore[arg-type]
    seconds = {name: Content.parse(c[0] if c else b"").seconds for name, c in contents.items()}
    end = time.monotonic() + max(seconds.values(), default=0)
    while any(last.get(name) == etag for name, etag in first.items()) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
        last = held()
    dead = [name for name, etag in first.items() if last.get(name) == etag]
    findings = [
        Finding(name, "this lease is held by nobody; the next run takes it over. " + AGAIN)
        for name in dead
    ]
    return (first.keys() | last.keys()) - set(dead), findings


def _of_flow(lake: Lake, flow: Flow, under_way: bool) -> Iterator[Checked]:
    """Each dataset of a flow against its manifest, and that against the one before."""
    before: Manifest | None = None
    with workspace() as folder:
        view = View(lake, Here(Place(lake, Folder(folder))), flow)
        verify: dict[Dataset, Callable[[View], None]] = {flow.bronze: bronze.verify}
        verify[flow.silver] = comparison.verify
        verify[flow.gold[0]] = gold.verify
        if flow.chart:
            verify[flow.chart] = chart.verify
        for dataset in flow.datasets:
            findings = []
            manifest: Manifest | None = None
            try:
                manifest = lake.version(dataset).manifest
                findings += list(_of_objects(lake, flow, dataset, manifest))
                findings += _of_manifest(manifest)
                if before and dataset != flow.bronze:
                    findings += _of_source(before, manifest, under_way)
                if not findings and dataset in verify:
                    verify[dataset](view)
            except StoreError:
                raise
            except MedallionError as error:
                findings.append(str(error))
            # Each gold table is made from silver, the chart from the first of them.
            if dataset.layer != "gold" or dataset == flow.gold[0]:
                before = manifest
            yield Checked(dataset, manifest, [Finding(dataset.path, said) for said in findings])


def _of_objects(lake: Lake, flow: Flow, dataset: Dataset, manifest: Manifest) -> Iterator[str]:
    """What is wrong with the objects of a dataset, and with those that stand beside it."""

    def read(entry: StoredObject) -> str:
        try:
            for _ in lake.chunks(dataset.layer, entry):
                pass
        except LakeError as error:
            return str(error)
        return ""

    entries = list(manifest.objects)
    if dataset == flow.bronze:
        kept = answers(lake, dataset).values()
        entries += [stat.entry for stat in kept if stat.key != dataset.object]
    yield from filter(None, lake.store.each(read, entries))
    if dataset == flow.silver:
        tables.rejected(lake, flow)


def _of_manifest(manifest: Manifest) -> list[str]:
    """Whether a manifest adds up in itself."""
    found = []
    rows = sum(entry.rows for entry in manifest.objects)
    if rows != manifest.rows_out:
        found.append(f"its objects have {rows:,} rows, and it says {manifest.rows_out:,}. {AGAIN}")
    if manifest.layer != "gold":
        counted = manifest.rows_out + manifest.rows_rejected + manifest.rows_duplicate
        if counted != manifest.rows_in:
            found.append(f"{counted:,} rows are accounted for of {manifest.rows_in:,}. {AGAIN}")
    found += [
        f"the check {check.name} found {check.found:,} and not {check.expected:,}. {AGAIN}"
        for check in manifest.checks
        if not check.held
    ]
    return found


def _of_source(before: Manifest, manifest: Manifest, under_way: bool) -> list[str]:
    """Whether a dataset is of the version that the one before it has."""
    if manifest.snapshot != before.snapshot:
        behind = (
            f"it is of {manifest.snapshot} and {before.layer} of {before.snapshot}, with no run "
            "under way: the block failed or did not run; look at its newest error log, and run the "
            "pipeline again."
        )
        return [] if under_way else [behind]
    if manifest.rows_in != before.rows_out:
        return [
            f"it was made from {manifest.rows_in:,} rows, and {before.layer} has "
            f"{before.rows_out:,}. {AGAIN}"
        ]
    return []


def _leftovers(lake: Lake, flows: Sequence[Flow]) -> Iterator[Finding]:
    """Objects that no manifest names, with no run under way."""
    for flow in flows:
        known = {flow.silver.manifest}
        try:
            known |= {entry.key for entry in lake.version(flow.silver).manifest.objects}
        except LakeError:
            continue  # it is told of there
        left = [key for key in lake.store.listed("silver", flow.silver.prefix) if key not in known]
        if left:
            what = f"{len(left):,} objects that no manifest names, such as {left[0]}. {AGAIN}"
            yield Finding(flow.silver.path, what)
    if scratch := lake.store.listed("silver", SCRATCH):
        what = f"{len(scratch):,} pieces of runs that died; a run a day later removes them."
        yield Finding(f"silver/{SCRATCH}", what)
    for layer in LAYERS:
        found = lake.store.listed(layer, "data/")
        nobodys = [key for key in found if not any(flow.owns(layer, key) for flow in flows)]
        if nobodys:
            what = (
                f"{len(nobodys):,} objects of no dataset of this project, such as {nobodys[0]}; "
                "remove them, or bring back the folder of data/ that wrote them."
            )
            yield Finding(f"{layer}/data/", what)
