"""A store of one process, in a folder of this machine: a version is made anew there."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..lake.datasets import Layer
from ..lake.errors import ObjectMissing
from ..lake.store import CHUNK, Head, Listed, Store
from ..settings import LakeSettings

META = "x-amz-meta-"


@dataclass(frozen=True)
class _Stored:
    file: Path
    head: Head
    modified: float


class FolderStore(Store):
    """As `Store`, but the contents are files of a folder, and their names in memory."""

    def __init__(self, folder: Path, settings: LakeSettings) -> None:
        self.endpoint = str(folder)
        self._settings = settings
        self._folder = folder
        self._objects: dict[tuple[Layer, str], _Stored] = {}
        self._files = 0
        self._lock = threading.RLock()

    def add(
        self, layer: Layer, key: str, content: Iterable[bytes], metadata: Mapping[str, str]
    ) -> str:
        """Store some content that is given in pieces; its ETag."""
        with self._lock:
            self._files += 1
            file, digest, size = (
                self._folder / f"{self._files}",
                hashlib.md5(usedforsecurity=False),
                0,
            )
        with file.open("wb") as writing:
            for chunk in content:
                digest.update(chunk)
                size += writing.write(chunk)
        head = Head(digest.hexdigest(), size, dict(metadata))
        self._objects[layer, key] = _Stored(file, head, time.time())
        return head.etag

    def create_bucket(self, layer: Layer) -> None:  # noqa: D102 - as Store says
        pass

    def listed(self, layer: Layer, prefix: str) -> dict[str, Listed]:  # noqa: D102
        return {
            key: Listed(found.head.bytes, found.modified, found.head.etag)
            for (bucket, key), found in sorted(self._objects.items())
            if bucket == layer and key.startswith(prefix)
        }

    def put(  # noqa: D102
        self,
        layer: Layer,
        key: str,
        content: bytes,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.add(layer, key, [content], metadata or {})

    def put_file(  # noqa: D102
        self, layer: Layer, key: str, file: Path, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        self.add(layer, key, _chunks(file, 0, None), metadata)

    def put_if(  # noqa: D102
        self,
        layer: Layer,
        key: str,
        content: bytes,
        etag: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> str | None:
        told = {k.removeprefix(META): v for k, v in (headers or {}).items() if k.startswith(META)}
        with self._lock:
            stored = self._objects.get((layer, key))
            if (stored.head.etag if stored else None) != etag:
                return None
            return self.add(layer, key, [content], told)

    def get(self, layer: Layer, key: str) -> tuple[bytes, str] | None:  # noqa: D102
        stored = self._objects.get((layer, key))
        return (stored.file.read_bytes(), stored.head.etag) if stored else None

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:  # noqa: D102
        for key in keys:
            self._objects.pop((layer, key), None)

    def head(self, layer: Layer, key: str) -> Head | None:  # noqa: D102
        stored = self._objects.get((layer, key))
        return stored.head if stored else None

    def stream(  # noqa: D102
        self, layer: Layer, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        stored = self._objects.get((layer, key))
        if stored is None or etag not in {"", stored.head.etag}:
            raise ObjectMissing(f"{layer}/{key}")
        yield from _chunks(stored.file, start, end)

    def copy_if(self, layer: Layer, key: str, etag: str, to: str) -> bool:  # noqa: D102
        with self._lock:
            stored = self._objects.get((layer, key))
            if stored is None or stored.head.etag != etag:
                return False
            self._objects[layer, to] = stored
            return True


def _chunks(file: Path, start: int, end: int | None) -> Iterator[bytes]:
    with file.open("rb") as reading:
        reading.seek(start)
        left = file.stat().st_size - start if end is None else end - start
        while left > 0 and (chunk := reading.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
