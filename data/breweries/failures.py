"""What an error becomes: one object under its layer's `logs/`, by way of a local spool."""

from __future__ import annotations

import json
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from .datasets import LAYERS, LOGS, Dataset
from .errors import BreweriesError, StoreError
from .lake import Lake
from .manifest import now
from .records import CONTENT_TYPE


def describe(
    error: Exception, dataset: Dataset, run: str, attempt: int, working_on: dict[str, Any]
) -> dict[str, Any]:
    """The error log's content, JSON-ready; the fields of our own errors stand under `facts`."""
    return {
        "time": now().isoformat(),
        "layer": dataset.layer,
        "block": dataset.block,
        "run": run,
        "attempt": attempt,
        "exception_type": type(error).__name__,
        "message": str(error),
        "facts": error.facts if isinstance(error, BreweriesError) else {},
        "working_on": working_on,
        "traceback": "".join(traceback.format_exception(error)),
    }


def keep(log: dict[str, Any], spool: Path, lake: Lake | None, secrets: tuple[str, ...]) -> str:
    """Write an error log to its layer, or to the spool where the store does not take it.

    The spool comes first and is emptied on delivery, so that a crash in between loses nothing.

    Returns:
        Where it is: `<layer>/logs/<run>-<block>.json` or a path.
    """
    text = json.dumps(log, indent=1, ensure_ascii=False, default=str)
    for secret in secrets:
        text = text.replace(json.dumps(secret)[1:-1], "***")
    file = spool / log["layer"] / f"{log['run']}-{log['block']}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8", errors="replace")
        draft.replace(file)
    except OSError as error:
        return f"lost: {file} cannot be written ({error.strerror})"
    if lake:
        with suppress(StoreError, OSError):
            deliver(spool, lake)
    return str(file) if file.exists() else f"{log['layer']}/{LOGS}{file.name}"


def deliver(spool: Path, lake: Lake) -> int:
    """Bring the spooled error logs to their layers; returns how many.

    Raises:
        StoreError: the store does not take them; what it did not take stays in the spool.
    """
    delivered = 0
    for layer in LAYERS:
        for file in sorted((spool / layer).glob("*.json")):
            lake.create_bucket(layer)
            try:
                content = file.read_bytes()
            except FileNotFoundError:
                continue  # another run has delivered it
            lake.put(layer, f"{LOGS}{file.name}", content, CONTENT_TYPE)
            file.unlink(missing_ok=True)
            delivered += 1
    return delivered
