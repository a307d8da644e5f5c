"""A store in a local folder, for one process. Old versions are rebuilt in it."""

# ruff: noqa: D102 - as Store says

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import count
from pathlib import Path

from .datasets import Layer
from .errors import ObjectMissing
from .store import BINARY, CHUNK, ObjectInfo


class FolderStore:
    """A store in a folder; which file is which object is known only to this process.

    Files have numbers as names, because some file systems do not tell `A` from `a`, and no file
    ever changes, so that a reader of a replaced object reads the old one to its end.
    """

    connections = 4

    def __init__(self, folder: Path) -> None:
        self.endpoint = str(folder)
        self._folder = folder
        self._objects: dict[tuple[Layer, str], tuple[Path, ObjectInfo]] = {}
        self._numbers = count()
        self._lock = threading.Lock()

    def create_bucket(self, layer: Layer) -> None:
        pass

    def listed(self, layer: Layer, prefix: str) -> dict[str, ObjectInfo]:
        with self._lock:
            every = [(key, one) for (of, key), (_, one) in self._objects.items() if of == layer]
        return {key: one for key, one in sorted(every) if key.startswith(prefix)}

    def get(self, layer: Layer, key: str) -> bytes | None:
        found = self._objects.get((layer, key))
        return found[0].read_bytes() if found else None

    def stream(
        self, layer: Layer, key: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        if (found := self._objects.get((layer, key))) is None:
            raise ObjectMissing(f"{layer}/{key}")
        with found[0].open("rb") as file:
            file.seek(start)
            left = (found[1].bytes if end is None else end) - start
            while chunk := file.read(min(CHUNK, left)):
                left -= len(chunk)
                yield chunk

    def put(self, layer: Layer, key: str, content: bytes | Path, kind: str = BINARY) -> None:
        with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as lines:
            self.add(layer, key, lines)

    def create(self, layer: Layer, key: str, content: bytes, kind: str = BINARY) -> bool:
        return self.add(layer, key, [content], replace=False)

    def copy(self, layer: Layer, key: str, to: str, kind: str = BINARY) -> None:
        self.add(layer, to, self.stream(layer, key))

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:
        for key in keys:
            self._objects.pop((layer, key), None)

    def add(self, layer: Layer, key: str, content: Iterable[bytes], replace: bool = True) -> bool:
        """Store content that comes in chunks; returns whether it did."""
        path = self._folder / str(next(self._numbers))
        with path.open("wb") as file:
            file.writelines(content)
        with self._lock:
            if not replace and (layer, key) in self._objects:
                return False
            self._objects[layer, key] = path, ObjectInfo(path.stat().st_size, time.time())
        return True
