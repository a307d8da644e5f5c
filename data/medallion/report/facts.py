"""The facts of a page, read only from the lake. The page names the parts that cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..flow import Flow
from ..lake.batches import in_threads
from ..lake.datasets import LAYERS, LOGS, Layer
from ..lake.error_logs import LARGEST, newest
from ..lake.errors import BucketMissing, LakeError, ObjectMissing, ObjectUnreadable
from ..lake.lake import Lake
from ..lake.manifest import Changes, Manifest, Snapshot, StoredObject, first_problem
from ..lake.records import rejected_records

EXAMPLES = 3  # rejects shown per reason
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)
Rows = tuple[dict[str, Any], ...]


class ChangeReport(BaseModel):
    """The part of silver's change report that the page shows."""

    snapshot: str
    before: str | None
    counts: Changes
    added: Rows = ()
    removed: Rows = ()
    moved: Rows = ()
    recategorized: Rows = ()
    changed: Rows = ()


class ErrorLog(BaseModel):
    """The part of an error log that the page shows."""

    block: str
    run: str
    exception_type: str
    message: str


@dataclass
class Rejects:
    """The rejects of one reason: their number, and the texts of the first ones."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Facts:
    """The facts of a flow's page. A fact that the lake does not have is None or empty."""

    flow: Flow
    manifests: Mapping[str, Manifest]  # by the path of the dataset, those that can be read
    rejects: Mapping[str, Rejects] | None  # by reason
    changes: ChangeReport | None
    kept: tuple[Snapshot, ...]  # the earlier snapshots that bronze retains, newest first
    errors: Mapping[Layer, ErrorLog]  # the newest error log of each layer
    chart: bytes | None
    missing: tuple[str, ...]  # why parts are left out, in sentences
    seen: bool = True  # every object of the versions was read, by this page or by the run


def gather(
    lake: Lake, flow: Flow, made: Sequence[Manifest] = (), chart: bytes = b"", read: bool = False
) -> Facts:
    """Read the facts of a page; with `read`, also every object of the versions, to check it.

    A run gives the versions that it has made, and the chart of them. StoreError is raised if the
    store does not respond or refuses.
    """
    missing: dict[str, None] = {}
    known = {f"{one.layer}/{one.dataset}": one for one in made}

    def had(read: Callable[..., R], *of: Any) -> R | None:
        try:
            return read(*of)
        except (LakeError, BucketMissing) as error:
            missing[str(error)] = None
            return None

    found = {d.path: known.get(d.path) or had(lake.version, d) for d in flow.datasets}
    versions = {path: version for path, version in found.items() if version}
    for version in versions.values() if read else ():
        entries = [*version.named.values(), *(copy.as_stored for copy in version.copies)]
        problems = in_threads(lake.store.connections, partial(lake.problem, version.layer), entries)
        missing |= {str(problem): None for problem in problems if problem}
    silver, bronze = versions.get(flow.silver.path), versions.get(flow.bronze.path)
    if not chart and flow.chart_dataset and (drawn := versions.get(flow.chart_dataset.path)):
        chart = had(lake.read, "gold", drawn.only_object()) or b""
    return Facts(
        flow=flow,
        manifests=versions,
        rejects=had(_rejects, lake, silver, flow.rejected) if silver else None,
        changes=had(_changes, lake, silver, flow.changes) if silver else None,
        kept=bronze.retained[::-1] if bronze else (),
        errors={one: log for one in LAYERS if (log := had(_newest_error, lake, flow, one))},
        chart=chart,
        missing=tuple(missing),
        # A run reads all that it does not write.
        seen=read or len({version.run for version in versions.values()}) == 1,
    )


def _copied(version: Manifest, key: str) -> StoredObject:
    """The object of a version that is copied to a fixed name."""
    if (copy := version.copy_at(key)) is None:
        raise ObjectMissing(f"{version.layer}/{key}")
    return copy.object


def _changes(lake: Lake, silver: Manifest, key: str) -> ChangeReport:
    return _parsed(f"silver/{key}", lake.read("silver", _copied(silver, key)), ChangeReport)


def _parsed(name: str, content: bytes, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise ObjectUnreadable(name, first_problem(error)) from None


def _rejects(lake: Lake, silver: Manifest, key: str) -> Mapping[str, Rejects]:
    """Count the rejects by reason. They are streamed, because there may be very many."""
    found: dict[str, Rejects] = defaultdict(Rejects)
    lines = lake.lines("silver", _copied(silver, key))
    for reason, _, record in rejected_records(lines, f"silver/{key}"):
        found[reason].count += 1
        if len(found[reason].examples) < EXAMPLES:
            found[reason].examples.append(record.decode(errors="replace"))
    return found


def _newest_error(lake: Lake, flow: Flow, layer: Layer) -> ErrorLog | None:
    logs = {k: v for k, v in lake.store.listed(layer, LOGS).items() if flow.owns(layer, k)}
    if not (key := newest(logs)):
        return None
    name, size = f"{layer}/{key}", logs[key].bytes
    if size > LARGEST:
        raise ObjectUnreadable(name, f"it has {size:,} bytes")
    return _parsed(name, b"".join(lake.store.stream(layer, key)), ErrorLog)
