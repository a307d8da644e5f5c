"""What changed between any two versions of silver: the report that a publish writes."""

from __future__ import annotations

from ..flow import Flow
from ..lake.errors import ObjectMissing
from ..lake.manifest import Changes
from ..lake.versions import Lake
from ..layers.changes import to_json
from .history import Moment, answers, snapshot_at
from .past import made_anew


def report(lake: Lake, flow: Flow, start: Moment | None, end: Moment | None) -> bytes:
    """The report of the changes from one version to another, as JSON (docs/lake.md#silver).

    Args:
        lake: to read.
        flow: whose silver it is.
        start: the version before; None for the newest publish that changed something.
        end: the version after; None for the published one.

    Raises:
        ReadError, LakeError: there are no such versions.
    """
    if start is None:
        return _stored(lake, flow)
    kept, published = [*answers(lake, flow.bronze).values()], lake.version(flow.silver).manifest
    before = snapshot_at(kept, start, published)
    after = snapshot_at(kept, end, published) if end else published.snapshot
    with made_anew(lake, flow, before, after) as past:
        manifest = past.version(flow.silver).manifest
        if manifest.changes == Changes():  # then a publish writes no report
            said = {"run": manifest.run, "snapshot": after, "before": before}
            return to_json({**said, "counts": Changes().model_dump()})
        return _stored(past, flow)


def _stored(lake: Lake, flow: Flow) -> bytes:
    stored = lake.store.get("silver", flow.changes)
    if stored is None:
        raise ObjectMissing(f"silver/{flow.changes}")
    return stored[0]
