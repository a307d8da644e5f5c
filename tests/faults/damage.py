"""What a reader of the lake would find wrong, whatever happened to the runs that wrote it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from data.breweries.flow import FLOW
from data.medallion.lake.datasets import LOGS
from data.medallion.lake.errors import LakeError, ManifestMissing
from data.medallion.lake.versions import Lake
from tests.conftest import raw_get
from tests.world import World

SINGLE_OBJECTS = (
    ("bronze", FLOW.bronze.object),
    ("silver", FLOW.rejected),
    ("silver", FLOW.changes),
    ("gold", FLOW.gold[0].object),
    ("gold", FLOW.chart.object),
)


@dataclass(frozen=True)
class Truth:
    """One version of the data, as a run that nothing disturbed publishes it."""

    bronze: str
    silver: frozenset[tuple[str, str, int]]
    gold: str

    @classmethod
    def of(cls, world: World) -> Truth:
        """What is published now."""
        lake = world.lake
        bronze, gold = (
            lake.stat("bronze", FLOW.bronze.object),
            lake.stat("gold", FLOW.gold[0].object),
        )
        assert bronze
        assert gold
        entries = world.manifest(FLOW.silver).objects
        return cls(
            bronze.sha256, frozenset((e.key, e.sha256, e.rows) for e in entries), gold.sha256
        )


def damage(lake: Lake, versions: list[Truth]) -> list[str]:
    """Each way in which the lake is not one of some versions, layer by layer."""
    return [
        *_silver(lake, versions),
        *_single_objects(lake, versions),
        *_readers(lake),
        *_history(lake),
    ]


def leavings(lake: Lake) -> list[str]:
    """Objects that nothing names: what a good run leaves none of."""
    named = {entry.key for entry in lake.version(FLOW.silver).manifest.objects}
    named |= {FLOW.silver.manifest, FLOW.rejected, FLOW.changes}
    found = [f"silver/{key}" for key in lake.store.listed("silver", "data/") if key not in named]
    for layer in ("bronze", "silver", "gold"):
        leases = lake.store.listed(layer, "leases/")
        found += [f"{layer}/{key}" for key in leases if not key.endswith(".race")]
    return found


def _silver(lake: Lake, versions: list[Truth]) -> Iterator[str]:
    try:
        manifest = lake.version(FLOW.silver).manifest
    except ManifestMissing:
        return
    for entry in manifest.objects:
        try:
            lake.read("silver", entry)
        except LakeError as error:
            yield str(error)
    objects = frozenset((e.key, e.sha256, e.rows) for e in manifest.objects)
    if objects not in [version.silver for version in versions]:
        yield f"silver of run {manifest.run} is of no one version"
    if sum(entry.rows for entry in manifest.objects) != manifest.rows_out:
        yield "silver's rows do not add up"


def _single_objects(lake: Lake, versions: list[Truth]) -> Iterator[str]:
    for layer, key in SINGLE_OBJECTS:
        told = lake.stat(layer, key)
        if told is None:
            continue
        if hashlib.sha256(raw_get(lake, layer, key)).hexdigest() != told.sha256:
            yield f"{layer}/{key} is not what it says it is"
        if not told.run or not told.snapshot:
            yield f"{layer}/{key} does not say which version it is"
        known = {
            FLOW.bronze.object: {version.bronze for version in versions},
            FLOW.gold[0].object: {version.gold for version in versions},
        }
        if told.sha256 not in known.get(key, {told.sha256}):
            yield f"{layer}/{key} is of no one version"


def _readers(lake: Lake) -> Iterator[str]:
    """What a reader that follows the manifests is told."""
    for dataset in FLOW.datasets:
        try:
            lake.follow(
                dataset,
                lambda version, layer=dataset.layer: [
                    lake.read(layer, entry) for entry in version.manifest.objects
                ],
            )
        except ManifestMissing:
            continue
        except LakeError as error:
            yield f"a reader of {dataset.layer}/{dataset.name} is told: {error}"


def _history(lake: Lake) -> Iterator[str]:
    """The answer that silver derives from can be replayed, whatever bronze has become."""
    try:
        snapshot = lake.version(FLOW.silver).manifest.snapshot
    except ManifestMissing:
        return
    current = lake.stat("bronze", FLOW.bronze.object)
    if current and current.snapshot == snapshot:
        return
    kept = lake.stat("bronze", f"{FLOW.bronze.history}{snapshot}.json")
    if kept is None:
        yield f"the answer {snapshot} that silver derives from is lost"
        return
    content = raw_get(lake, "bronze", f"{FLOW.bronze.history}{snapshot}.json")
    if hashlib.sha256(content).hexdigest() != kept.sha256:
        yield f"the answer {snapshot} is not what it says it is"


def error_logs(lake: Lake) -> int:
    """How many error logs there are in all layers."""
    return sum(len(lake.store.listed(layer, LOGS)) for layer in ("bronze", "silver", "gold"))
