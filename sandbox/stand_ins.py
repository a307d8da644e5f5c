"""Chooses the local API that replaces a flow's API."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any, cast

from data.medallion.flow import Flow
from data.medallion.host.envfile import PROJECT

from .declared import DeclaredApi
from .local import LOOPBACK, LocalApi
from .problems import SandboxError

SAMPLE = "sample.json"
ANY_TOKEN = "local"  # noqa: S105
"""What a local API asks for where the flow has no token, so that its login is tried too."""


def stand_in(
    flow: Flow, chosen: argparse.Namespace, port: int = 0, host: str = LOOPBACK
) -> LocalApi:
    """The local API of sandbox/<flow>/stand_in.py, or else one that serves the flow's sample.

    Args:
        flow: the flow of the API.
        chosen: the options of the command.
        port: 0 for any free one.
        host: the address to listen on.

    Raises:
        SandboxError: the records cannot be read, or the local API does not have an option.
    """
    file = chosen.dataset
    records = _records(file, f"--dataset {file}") if file else None
    if Path(__file__).with_name(flow.name).joinpath("stand_in.py").exists():
        module = importlib.import_module(f"{__package__}.{flow.name}.stand_in")
        return cast(LocalApi, module.stand_in(chosen, records, port, host))
    for option in ("latency_seconds", "error_rate", "reset_rate", "cut_rate", "change_after"):
        if getattr(chosen, option) is not None:
            name = option.replace("_", "-")
            raise SandboxError(f"--{name} is not for {flow.name}: its local API has no faults.")
    if records is None:
        sample = PROJECT / flow.name / SAMPLE
        records = _records(sample, str(sample))
    token = flow.load_settings().api_token.get_secret_value()
    return DeclaredApi(flow, records, token or ANY_TOKEN, port, host)


def _records(file: Path, name: str) -> list[Any]:
    try:
        records = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise SandboxError(f"{name} cannot be read: {error}.") from None
    if not isinstance(records, list):
        raise SandboxError(f"{name} is not a JSON array of records.")
    return records
