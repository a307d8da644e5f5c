"""A block's work in a run: what it reads, how it is set, and the writers of its datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .context import FlowContext
from .settings import Settings
from .writer import Writer


@dataclass(frozen=True)
class Step(FlowContext):
    """A block in a run that holds the leases of its datasets."""

    run: str
    settings: Settings
    writers: tuple[Writer, ...]  # one per dataset of the block
    variables: Mapping[str, Any] = field(default_factory=dict)  # Mage's keyword arguments

    @property
    def writer(self) -> Writer:
        """The writer of the block's first dataset."""
        return self.writers[0]

    @property
    def snapshot_to_replay(self) -> str:
        """The runtime variable `snapshot`: the id of the snapshot to publish again, or ""."""
        return str(self.variables.get("snapshot") or "")
