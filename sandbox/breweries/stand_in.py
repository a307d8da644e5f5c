"""Makes the local Open Brewery DB from the options of a command."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from ..faults import Faults
from ..problems import SandboxError
from .api import LocalBreweryApi
from .generator import generate


def stand_in(
    chosen: argparse.Namespace, records: list[Any] | None, port: int, host: str
) -> LocalBreweryApi:
    """The server; without records, it gets generated ones."""
    served = list(generate(chosen.count, chosen.seed)) if records is None else records
    return LocalBreweryApi(served, faults=_faults(chosen), port=port, host=host)


def _faults(chosen: argparse.Namespace) -> Faults:
    given = {f.name: getattr(chosen, f.name, None) for f in fields(Faults)}
    try:
        return Faults(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise SandboxError(f"These faults cannot be: {error}") from None
