"""Error logs: one object per error, under the layer's `logs/`, written to a local spool first."""

from __future__ import annotations

import errno
import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import MedallionError
from ..host.workspace import write_whole
from .datasets import LAYERS, LOGS, Dataset, Layer
from .errors import StoreError
from .records import CONTENT_TYPE
from .runs import now
from .store import ObjectInfo, Store

logger = logging.getLogger(__name__)

LARGEST = 1 << 20  # bytes; a larger error log is listed, but not read


def newest(logs: Mapping[str, ObjectInfo]) -> str:
    """The key of the newest log, by the store's clock; "" if there is none."""
    return max(logs, key=lambda key: (logs[key].modified, key), default="")


def key_of(run: str, block: str) -> str:
    """The key of an error log, in the bucket of its layer."""
    return f"{LOGS}{run}-{block}.json"


def describe(
    error: Exception,
    flow: str,
    dataset: Dataset,
    run: str,
    attempt: int,
    working_on: dict[str, Any],
) -> dict[str, Any]:
    """The content of an error log, ready for JSON; `facts` has the fields of our own errors."""
    return {
        "time": now().isoformat(),
        "flow": flow,
        "layer": dataset.layer,
        "block": dataset.block,
        "run": run,
        "attempt": attempt,
        "exception_type": type(error).__name__,
        "message": str(error),
        "facts": error.facts if isinstance(error, MedallionError) else {},
        "working_on": working_on,
        "traceback": "".join(traceback.format_exception(error)),
    }


def keep(log: Mapping[str, Any], spool: Path, store: Store | None) -> str:
    """Write an error log to its layer, or to the spool if the store does not accept it.

    The log is written to the spool first, and removed from it on delivery. So a crash loses none.
    It must be ready for JSON, without secrets.

    Returns:
        Where the log is, `<layer>/logs/<run>-<block>.json` or a path; or why it is lost.
    """
    content = json.dumps(log, indent=1, ensure_ascii=False).encode("utf-8", "replace")
    layer, name = log["layer"], key_of(log["run"], log["block"]).removeprefix(LOGS)
    file = spool / layer / name
    try:
        write_whole(file, content)
    except OSError as error:
        with suppress(StoreError):
            if store:
                return _put(store, layer, name, content)
        return f"lost: {file} cannot be written ({error.strerror})"
    with suppress(StoreError):
        if store:
            deliver(spool, store)
    return str(file) if file.exists() else f"{layer}/{LOGS}{name}"


def deliver(spool: Path, store: Store) -> int:
    """Move the spooled error logs to their layers; returns how many.

    A log that this user may not read or remove is reported and stays. The run continues.

    Raises:
        StoreError: the store does not accept a log; it stays in the spool, with those after it.
    """
    delivered = 0
    for layer in LAYERS:
        files: list[Path] = []
        with _told(spool / layer):
            files += sorted(path for path in (spool / layer).iterdir() if path.suffix == ".json")
        for file in files:
            with _told(file):
                content = file.read_bytes()
                # Else every run would deliver the log again, and it would look like a new error.
                if not os.access(file.parent, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                _put(store, layer, file.name, content)
                file.unlink(missing_ok=True)
                delivered += 1
    return delivered


def _put(store: Store, layer: Layer, name: str, content: bytes) -> str:
    key = f"{LOGS}{name}"
    store.create_bucket(layer)
    store.put(layer, key, content, CONTENT_TYPE)
    return f"{layer}/{key}"


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell of an error at a path, and go on; what is gone, another run has delivered."""
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        logger.warning(
            f"The error logs of {path} are not delivered ({error.strerror}); give it to this user, "
            "or remove it. The run goes on."
        )
