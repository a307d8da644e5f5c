"""The part of a version's entry that the monitoring needs: its numbers, without its objects."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.medallion.lake.datasets import Dataset
from data.medallion.lake.errors import ManifestTooNew, ManifestUnreadable
from data.medallion.lake.manifest import MANIFEST_VERSION, Check, check_seal, first_problem
from data.medallion.lake.store import Store

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class VersionNumbers(BaseModel):
    """A version of a dataset in numbers; `seconds` is how long its step took."""

    model_config = ConfigDict(frozen=True)

    manifest_version: int
    version: int
    snapshot: str = ""
    rows_in: Number
    rows_out: Number
    rows_rejected: Number
    rows_duplicate: Number
    checks: tuple[Check, ...]
    drift: tuple[Any, ...] = ()
    seconds: Number

    @property
    def complete(self) -> bool:
        """Whether every check held."""
        return all(check.held for check in self.checks)

    @classmethod
    def read(cls, store: Store, dataset: Dataset, key: str) -> VersionNumbers:
        """Read an entry of a log, or its copy; needs little more memory than its text.

        Raises:
            ManifestUnreadable, ManifestTooNew: as `VersionLog.newest`; it may be missing.
        """
        name = f"{dataset.layer}/{key}"
        content = store.get(dataset.layer, key) or b""
        try:
            check_seal(content)
            values = json.loads(content, object_hook=_kept)
            if (written_as := values["manifest_version"]) > MANIFEST_VERSION:
                raise ManifestTooNew(name, written_as, MANIFEST_VERSION)
            return cls.model_validate(values)
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            problem = first_problem(error) if isinstance(error, ValidationError) else str(error)
            raise ManifestUnreadable(name, problem, dataset.block) from None


KEPT = VersionNumbers.model_fields.keys() | Check.model_fields.keys()


def _kept(found: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in found.items() if name in KEPT} or None
