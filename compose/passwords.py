"""Secrets of .env: which are too weak, and how they reach a service as files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

FILES = Path("/run/monitoring")
"""Where services find their secrets."""

# First passwords of Mage, MinIO, Zabbix and others.
WELL_KNOWN = {"admin", "admin@admin.com", "changeme", "materia", "minioadmin", "password", "zabbix"}


def weak(settings: Mapping[str, str], shortest: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each secret that is missing, too short, or that everybody knows.

    Args:
        settings: those of .env.
        shortest: each secret to how many characters it needs.
    """
    for name, least in shortest.items():
        value = settings.get(name, "")
        if not value:
            yield f"{name} is required and not set: run make env, or fill it in in .env."
        elif value.lower().replace("-", "").replace("_", "") in WELL_KNOWN:
            yield f"{name} is a value that everybody knows: choose another in .env."
        elif len(value) < least:
            yield (
                f"{name} has {len(value)} characters as Compose reads it and needs {least}; "
                "in .env, put a value that holds $ or # in single quotes."
            )


def write(file: Path, owner: int, content: str) -> None:
    """Write a secret that its owner alone can read, whole or not at all."""
    draft = file.with_name(f"{file.name}.draft")
    draft.unlink(missing_ok=True)
    made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(made, "w", encoding="utf-8") as opened:
        opened.write(content)
    os.chown(draft, owner, owner)
    draft.replace(file)
