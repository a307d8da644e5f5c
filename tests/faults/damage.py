"""What a reader of the lake would find wrong, whatever happened to the runs that wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LOGS
from data.medallion.lake.errors import LakeError, ManifestMissing
from data.medallion.lake.lake import Lake
from data.medallion.layers.bronze import snapshots_of
from data.medallion.layers.silver.plan import content_of
from tests.conftest import raw_get
from tests.world import World

Content = tuple[str, str, int]
"""What is in an object of silver: its folder, its hash and its rows."""


@dataclass(frozen=True)
class Truth:
    """One version of the data, as a run that nothing disturbed publishes it."""

    bronze: str
    silver: frozenset[Content]
    gold: str

    @classmethod
    def of(cls, world: World) -> Truth:
        """What is published now."""
        bronze, gold = (world.manifest(d).only_object() for d in (FLOW.bronze, FLOW.gold[0]))
        return cls(bronze.sha256, contents(world.lake), gold.sha256)


def contents(lake: Lake) -> frozenset[Content]:
    """What is in silver's newest version."""
    entries = lake.version(FLOW.silver).objects
    return frozenset((*content_of(entry), entry.rows) for entry in entries)


def damage(lake: Lake, versions: list[Truth]) -> list[str]:
    """Each way in which the lake is not one of some versions, layer by layer."""
    return [*_logs(lake), *_newest(lake, versions), *_fixed(lake, versions), *_history(lake)]


def leavings(lake: Lake) -> list[str]:
    """Objects that nothing names: what a good run leaves none of."""
    found = []
    for dataset in FLOW.datasets:
        version = lake.version(dataset)
        named = {*version.named, *(one.object.key for one in version.retained)}
        for prefix in filter(None, (dataset.folder, dataset.objects)):
            keys = lake.store.listed(dataset.layer, prefix).keys() - named - {dataset.manifest}
            found += [f"{dataset.layer}/{key}" for key in keys if not dataset.number(key)]
        leases = lake.store.listed(dataset.layer, dataset.lease)
        found += [f"{dataset.layer}/{key}" for key in leases if not key.endswith(".race")]
    return found


def _logs(lake: Lake) -> Iterator[str]:
    """Every version that was ever published is in its log, as it was written."""
    for dataset in FLOW.datasets:
        log = lake.log(dataset)
        numbers = log.numbers()
        if numbers and numbers != list(range(numbers[0], numbers[-1] + 1)):
            yield f"the log of {dataset.path} has a gap: {numbers}"
        yield from (str(problem) for number in numbers if (problem := log.problem(number)))


def _newest(lake: Lake, versions: list[Truth]) -> Iterator[str]:
    """What a reader of the newest versions gets."""
    for dataset in FLOW.datasets:
        try:
            lake.read_current(
                dataset,
                lambda version, layer=dataset.layer: [
                    lake.read(layer, entry) for entry in version.named.values()
                ],
            )
            version = lake.version(dataset)
        except ManifestMissing:
            continue
        except LakeError as error:
            yield f"a reader of {dataset.path} is told: {error}"
            continue
        if sum(entry.rows for entry in version.objects) != version.rows_out:
            yield f"the rows of {dataset.path} do not add up"
        known = {
            FLOW.bronze: [truth.bronze for truth in versions],
            FLOW.gold[0]: [truth.gold for truth in versions],
        }
        if dataset in known and version.only_object().sha256 not in known[dataset]:
            yield f"{dataset.path} is of no one version"
    if FLOW.silver.manifest in lake.store.listed("silver", FLOW.silver.prefix) and (
        contents(lake) not in [truth.silver for truth in versions]
    ):
        yield "silver is of no one version"


def _fixed(lake: Lake, versions: list[Truth]) -> Iterator[str]:
    """The objects of fixed names are whole, each of some version."""
    known = {
        ("bronze", FLOW.bronze.object): {truth.bronze for truth in versions},
        ("gold", FLOW.gold[0].object): {truth.gold for truth in versions},
    }
    for (layer, key), digests in known.items():
        if key in lake.store.listed(layer, key) and (
            hashlib.sha256(raw_get(lake, layer, key)).hexdigest() not in digests
        ):
            yield f"{layer}/{key} is of no one version"


def _history(lake: Lake) -> Iterator[str]:
    """The answer that silver derives from can be replayed, whatever bronze has become."""
    try:
        snapshot, bronze = lake.version(FLOW.silver).snapshot, lake.version(FLOW.bronze)
    except ManifestMissing:
        return
    kept = {one.snapshot: one.object for one in snapshots_of(bronze)}
    if snapshot not in kept:
        yield f"the answer {snapshot} that silver derives from is lost"
    for entry in kept.values():
        if problem := lake.problem("bronze", entry):
            yield str(problem)


def error_logs(lake: Lake) -> int:
    return sum(len(lake.store.listed(layer, LOGS)) for layer in ("bronze", "silver", "gold"))
