"""Reads the newest error log of a layer: only the fields that a person needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from data.medallion.lake.datasets import Layer
from data.medallion.lake.error_logs import LARGEST, newest
from data.medallion.lake.store import ObjectInfo, Store

LONGEST_TEXT = 2000  # characters of a message
LONGEST_LINE = 400  # characters of a title


@dataclass(frozen=True)
class ErrorLog:
    """The part of an error log that a person needs; the defaults mean that there is none."""

    timestamp: float = 0.0
    log: str = ""
    time: str = ""
    block: str = ""
    run: str = ""
    type: str = ""
    message: str = ""

    @property
    def line(self) -> str:
        """The error in one line."""
        text = ": ".join(filter(None, (self.type, self.message))) or f"see {self.log}"
        return " ".join(text.split())[:LONGEST_LINE]


NO_ERROR = ErrorLog()


def read_newest(
    store: Store, layer: Layer, logs: Mapping[str, ObjectInfo], before: ErrorLog
) -> ErrorLog:
    """Read the newest error log, by the store's clock; the others are only listed."""
    key = newest(logs)
    if not key:
        return NO_ERROR
    listed, name = logs[key], f"{layer}/{key}"
    if (before.log, before.timestamp) == (name, listed.modified):
        return before
    unread = ErrorLog(timestamp=listed.modified, log=name)
    if listed.bytes > LARGEST:
        return replace(unread, message=f"{name} has {listed.bytes:,} bytes: read it in the store.")
    content = store.get(layer, key)
    return unread if content is None else _parsed(content, unread)  # removed since it was listed


def _parsed(content: bytes, unread: ErrorLog) -> ErrorLog:
    try:
        text = partial(_text, json.loads(content))
        return replace(
            unread,
            time=text("time"),
            block=text("block"),
            run=text("run"),
            type=text("exception_type"),
            message=text("message"),
        )
    except (ValueError, AttributeError, RecursionError):
        start = content[:LONGEST_TEXT].decode(errors="replace").replace("\0", "")
        return replace(unread, message=f"{unread.log} is no error log of ours; it begins: {start}")


def _text(log: Any, field: str) -> str:
    # Zabbix refuses JSON that contains a NUL.
    return str(log.get(field, "")).replace("\0", "")[:LONGEST_TEXT]
