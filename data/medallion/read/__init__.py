"""Reads the lake with one line of Python: `from data.medallion import read`.

It needs only the settings of the store (`MINIO_ENDPOINT` and so on), and a user with the right to
read. It writes nothing to the store. A dataset is named by layer and name, such as
"silver/stations". `rejected`, `versions` and `changes` are about a whole flow: name any of its
datasets. `at` selects the version that was published at the end of a day (in UTC), at a time with
its zone, or by a run. If its objects are gone, it is rebuilt from its snapshot, in a temporary
folder, and compared with the log: `MadeByOtherCode` warns if an object differs.

Every function raises ReadError if a dataset, column, value or version does not exist; LakeError if
a dataset is not published or differs from its manifest; StoreError if the store does not respond or
refuses; and SettingError if a setting of the store is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..lake.lake import Lake
from ..lake.manifest import Manifest
from ..settings import LakeSettings
from . import past, tables
from .past import ListedVersion, MadeByOtherCode, Moment, Past, version_at
from .tables import named

__all__ = ["MadeByOtherCode", "changes", "manifest", "rejected", "table", "versions"]


def table(
    dataset: str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
    at: Moment | None = None,
) -> pa.Table:
    """Read one whole version of a dataset, with its partition columns, in the declared types.

    If the version is replaced meanwhile, the new one is read. Each object is checked against its
    version: its sha256, its rows and its columns. Bronze has the columns `position` and `record`,
    the JSON as received. The schema's metadata has the version's `version`, `run` and `snapshot`.

    Args:
        dataset: the dataset, such as "silver/stations" or "gold/kind_heights".
        columns: the columns to return, in this order; by default all.
        where: column to a value, or a list of values, that rows must have, such as
            `{"country": ["Norway", "Chile"]}`. Of silver, other partitions are not fetched.
        at: the moment of the version; by default the published one.
    """
    flow, known = named(dataset)
    with Past(_lake(), flow) as then:
        return tables.rows(then.lake(known, at), flow, known, columns, where)


def rejected(dataset: str, at: Moment | None = None) -> pa.Table:
    """Read silver's rejects: `reason`, `position` in bronze, and `record` as JSON."""
    flow, _ = named(dataset)
    with Past(_lake(), flow) as then:
        return tables.rejected(then.lake(flow.silver, at), flow)


def manifest(dataset: str, at: Moment | None = None) -> Manifest:
    """The log entry of a version: its objects, rows, source and checks."""
    _, known = named(dataset)
    return _lake().version(known) if at is None else version_at(_lake(), known, at)


def versions(dataset: str) -> list[ListedVersion]:
    """The publishes of silver in its log, oldest first, and the changes in each."""
    flow, _ = named(dataset)
    return list(past.versions(_lake(), flow))


def changes(dataset: str, start: Moment | None = None, end: Moment | None = None) -> dict[str, Any]:
    """The change report of silver between the versions of two moments.

    Without `end`, it ends at the newest version. Without `start`, it is the report of the newest
    publish with changes until then.
    """
    flow, _ = named(dataset)
    return past.changes(_lake(), flow, start, end)


def _lake() -> Lake:
    return Lake.connect(LakeSettings.load())
