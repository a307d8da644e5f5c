"""The part of a manifest that the monitoring needs: its numbers, without its objects."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.medallion.lake.manifest import Check, first_problem

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Summary(BaseModel):
    """The current version of a dataset in numbers; `seconds` is how long its step took."""

    model_config = ConfigDict(frozen=True)

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
    def from_bytes(cls, content: bytes) -> Summary:
        """Parse a stored manifest; needs little more memory than its text.

        Raises:
            ValueError: the manifest is cut or malformed, or has an impossible number.
        """
        try:
            return cls.model_validate(json.loads(content, object_hook=_kept))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None


KEPT = Summary.model_fields.keys() | Check.model_fields.keys()


def _kept(found: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in found.items() if name in KEPT} or None
