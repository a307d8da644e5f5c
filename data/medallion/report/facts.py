"""The facts of a page, read only from the lake. The page names the parts that cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..flow import Flow
from ..lake.datasets import LAYERS, LOGS, Layer
from ..lake.errors import BucketMissing, LakeError, ObjectUnreadable
from ..lake.logs import LARGEST, newest
from ..lake.manifest import Changes, Manifest, first_problem
from ..lake.metadata import Stat
from ..lake.records import rejected_records, split_lines
from ..lake.versions import Lake

EXAMPLES = 3
"""How many rejects are shown per reason."""
VERSIONS = 8
"""How many earlier snapshots are shown with their records."""

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
    retyped: Rows = ()
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
    manifests: Mapping[str, Manifest]
    """A dataset's path to its manifest, if it can be read."""
    rejects: Mapping[str, Rejects] | None
    """Reason to its rejects."""
    changes: ChangeReport | None
    kept: list[str]
    """The snapshots of the history, newest first."""
    shown: list[Stat]
    """The newest snapshots of the history, with their metadata."""
    errors: Mapping[Layer, ErrorLog]
    """Layer to its newest error log."""
    chart: bytes | None
    missing: tuple[str, ...]
    """Why parts are left out, in sentences."""


def gather(lake: Lake, flow: Flow) -> Facts:
    """Read the facts of a page.

    Raises:
        StoreError: the store does not respond or refuses.
    """
    missing: dict[str, None] = {}

    def had(read: Callable[..., R], *of: Any) -> R | None:
        try:
            return read(*of)
        except (LakeError, BucketMissing) as error:
            missing[str(error)] = None
            return None

    manifests = {d.path: v.manifest for d in flow.datasets if (v := had(lake.version, d))}
    silver = flow.silver.path in manifests
    chart = flow.chart if flow.chart and flow.chart.path in manifests else None
    kept = sorted(had(lake.history, flow.bronze) or (), reverse=True)
    newest_kept = map(flow.bronze.earlier, kept[:VERSIONS])
    return Facts(
        flow=flow,
        manifests=manifests,
        rejects=had(_rejects, lake, flow.rejected) if silver else None,
        changes=had(_parsed, lake, "silver", flow.changes, ChangeReport) if silver else None,
        kept=kept,
        shown=[s for s in lake.store.each(partial(lake.stat, "bronze"), newest_kept) if s],
        errors={one: log for one in LAYERS if (log := had(_newest_error, lake, flow, one))},
        chart=had(lake.only_content, chart) if chart else None,
        missing=tuple(missing),
    )


def _parsed(lake: Lake, layer: Layer, key: str, kind: type[M]) -> M:
    """Read a JSON object of the lake.

    Raises:
        ObjectMissing, ObjectUnreadable: the object is missing, or not of this form.
    """
    try:
        return kind.model_validate_json(b"".join(lake.store.stream(layer, key)))
    except ValidationError as error:
        raise ObjectUnreadable(f"{layer}/{key}", first_problem(error)) from None


def _rejects(lake: Lake, key: str) -> Mapping[str, Rejects]:
    """Count the rejects by reason. They are streamed, because there may be very many."""
    found: dict[str, Rejects] = defaultdict(Rejects)
    lines = split_lines(lake.store.stream("silver", key))
    for reason, _, record in rejected_records(lines, f"silver/{key}"):
        one = found[reason]
        one.count += 1
        if one.count <= EXAMPLES:
            one.examples.append(record.decode(errors="replace"))
    return found


def _newest_error(lake: Lake, flow: Flow, layer: Layer) -> ErrorLog | None:
    logs = {k: v for k, v in lake.store.listed(layer, LOGS).items() if flow.owns(layer, k)}
    if not (key := newest(logs)):
        return None
    if logs[key].bytes > LARGEST:
        raise ObjectUnreadable(f"{layer}/{key}", f"it has {logs[key].bytes:,} bytes")
    return _parsed(lake, layer, key, ErrorLog)
