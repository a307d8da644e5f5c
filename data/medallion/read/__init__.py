"""What is in the lake, in a line: `from data.medallion import read`.

It needs only the settings of the store (`MINIO_ENDPOINT` and so on), and a user that may read; it
writes nothing there. A dataset is named by layer and name, such as "silver/stations". `rejected`,
`versions` and `changes` are about a whole flow: name any of its datasets. `at` asks for the version
of a day (its end, in UTC), of a time with its zone, or of a run. A version that is no longer
published is made again from bronze's history, in a temporary folder. `MadeByOtherCode` warns if
other code made the original.

Each function raises ReadError if there is no such dataset, column, value or version, LakeError if a
dataset is not published or differs from its manifest, StoreError if the store does not answer or
refuses, and SettingError if a setting of the store is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..lake.manifest import Manifest
from ..lake.versions import Lake
from ..settings import LakeSettings
from . import past, tables
from .past import ListedVersion, MadeByOtherCode, Moment, lake_at
from .tables import named

__all__ = ["MadeByOtherCode", "changes", "manifest", "rejected", "table", "versions"]


def table(
    dataset: str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    at: Moment | None = None,
) -> pa.Table:
    """One whole version of a dataset, with its partition columns, typed as the flow declares.

    If a version is replaced meanwhile, the new one is read. Each object is checked against its
    manifest: its bytes by their sha256, its rows, its columns. Bronze gives `position` and
    `record`, the JSON as received. The schema's metadata has the version's `run` and `snapshot`.

    Args:
        dataset: such as "silver/stations" or "gold/kind_heights".
        columns: those to give, in this order; all by default.
        where: columns to a value, or a list of them, that rows must have, such as
            `{"country": ["Norway", "Chile"]}`; of silver, other partitions are not fetched.
        at: of which moment; by default the published version.
    """
    flow, known = named(dataset)
    with lake_at(_lake(), flow, at) as lake:
        return tables.rows(lake, flow, known, columns, where)


def rejected(dataset: str, at: Moment | None = None) -> pa.Table:
    """The records that a silver could not use: `reason`, `position` in bronze, `record` as JSON.

    Raises:
        HalfPublished: they are of another version than silver.
    """
    flow, _ = named(dataset)
    with lake_at(_lake(), flow, at) as lake:
        return tables.rejected(lake, flow)


def manifest(dataset: str, at: Moment | None = None) -> Manifest:
    """What a dataset's version is: its objects, rows, source and checks.

    A chart has a manifest too, but only of the published version.
    """
    flow, known = named(dataset)
    with lake_at(_lake(), flow, at) as lake:
        return lake.version(known).manifest


def versions(dataset: str) -> list[ListedVersion]:
    """The versions that `at` can give, the oldest first, and what changed in each."""
    flow, _ = named(dataset)
    return list(past.versions(_lake(), flow))


def changes(dataset: str, start: Moment | None = None, end: Moment | None = None) -> dict[str, Any]:
    """What changed in silver between the versions of two moments, as a publish reports it.

    Without `end`, up to the published version. Without `start`, the report of the newest publish
    that changed something.
    """
    flow, _ = named(dataset)
    return past.changes(_lake(), flow, start, end)


def _lake() -> Lake:
    return Lake.connect(LakeSettings.load())
