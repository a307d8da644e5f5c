"""What is in the lake, in a line: `from data.medallion import read`.

It needs the settings of the store alone (`MINIO_ENDPOINT` and so on), and a user that reads; it
writes nothing. A dataset is named by layer and name, such as "silver/stations".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ..lake.errors import ObjectMissing
from ..lake.manifest import Manifest
from ..lake.versions import Lake
from ..settings import LakeSettings
from . import tables
from .tables import named

__all__ = ["changes", "manifest", "rejected", "table"]


def table(
    dataset: str,
    columns: Sequence[str] | None = None,
    where: Mapping[str, Any] | None = None,
) -> pa.Table:
    """One whole version of a dataset, with its partition columns, typed as the flow declares.

    A version that is replaced meanwhile is read anew. Each object is checked against its manifest:
    its bytes by their sha256, its rows, its columns. Bronze gives `position` and `record`, the
    JSON as received. The schema's metadata has the version's `run` and `snapshot`.

    Args:
        dataset: such as "silver/stations" or "gold/kind_heights".
        columns: those to give, in this order; all by default.
        where: columns to a value, or a list of them, that rows must have, such as
            `{"country": ["Norway", "Chile"]}`; of silver, other partitions are not fetched.

    Raises:
        ReadError: there is no such table, column or value.
        LakeError: it is not published, or not what its manifest says.
        StoreError: the store does not answer, or refuses.
        SettingError: a setting of the store is missing.
    """
    flow, known = named(dataset)
    return tables.rows(_lake(), flow, known, columns, where or {})


def rejected(dataset: str) -> pa.Table:
    """The records that a silver could not use: `reason`, `position` in bronze, `record` as JSON.

    Args:
        dataset: such as "silver/stations"; any other of its flow means the same.

    Raises:
        HalfPublished: they are of another version than silver.
        ReadError, LakeError, StoreError, SettingError: as `table`.
    """
    flow, _ = named(dataset)
    return tables.rejected(_lake(), flow)


def changes(dataset: str) -> dict[str, Any]:
    """The report of what the newest publish that changed a silver changed (docs/lake.md#silver).

    Args:
        dataset: as for `rejected`.

    Raises:
        ReadError, LakeError, StoreError, SettingError: as `table`.
    """
    flow, _ = named(dataset)
    stored = _lake().store.get("silver", flow.changes)
    if stored is None:
        raise ObjectMissing(f"silver/{flow.changes}")
    report: dict[str, Any] = json.loads(stored[0])
    return report


def manifest(dataset: str) -> Manifest:
    """What a dataset's current version is: its objects, rows, source and checks.

    Args:
        dataset: as for `table`, pictures too.

    Raises:
        ReadError, LakeError, StoreError, SettingError: as `table`.
    """
    _, known = named(dataset)
    return _lake().version(known).manifest


def _lake() -> Lake:
    return Lake.connect(LakeSettings.load())
