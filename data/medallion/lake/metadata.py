"""What the metadata of a published object say: its hash, its rows and its origin."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import Self

from .manifest import Source, StoredObject
from .store import Head

UNKNOWN, NOTHING = "unknown", "none"  # some stores refuse empty metadata


@dataclass(frozen=True)
class Origin:
    """The origin of an object. It is stored in the object's metadata and identifies its version."""

    run: str
    snapshot: str
    source: Source
    rows_in: int = 0
    made_by: str = UNKNOWN
    """The code and the library that wrote it. Its bytes depend on them."""


@dataclass(frozen=True)
class Stat:
    """A published object, by its metadata."""

    key: str
    etag: str
    bytes: int
    run: str
    snapshot: str
    sha256: str
    rows: int
    rows_in: int
    source: Source
    made_by: str
    replaces: str
    """The snapshot of the object that it replaced; "" if there was none or it is unknown."""

    @property
    def entry(self) -> StoredObject:
        """The object as a manifest names it."""
        return StoredObject(key=self.key, rows=self.rows, bytes=self.bytes, sha256=self.sha256)

    @classmethod
    def of(cls, key: str, head: Head) -> Self:
        """The object of a response to HEAD."""
        metadata = head.metadata
        source = Source(
            key=metadata.get("source-key", ""), sha256=metadata.get("source-sha256", "")
        )
        return cls(
            key=key,
            etag=head.etag,
            bytes=head.bytes,
            run=metadata.get("run", ""),
            snapshot=metadata.get("snapshot", ""),
            sha256=metadata.get("sha256", ""),
            rows=_number(metadata.get("rows", "")),
            rows_in=_number(metadata.get("rows-in", "")),
            source=source,
            made_by=metadata.get("made-by", UNKNOWN),
            replaces=metadata.get("replaces", NOTHING).replace(NOTHING, ""),
        )


def metadata_of(entry: StoredObject, origin: Origin, previous: Stat | None) -> dict[str, str]:
    """The metadata to store with an object.

    Args:
        entry: the object.
        origin: its origin.
        previous: the object that it replaces; None if there is none.
    """
    return {
        "run": origin.run,
        "snapshot": origin.snapshot,
        "sha256": entry.sha256,
        "rows": str(entry.rows),
        "rows-in": str(origin.rows_in),
        "source-key": origin.source.key,
        "source-sha256": origin.source.sha256,
        "made-by": origin.made_by,
        "replaces": previous.snapshot if previous and previous.snapshot else NOTHING,
    }


def _number(text: str) -> int:
    """A number in metadata; 0 if it is not one, because another program may have written it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
