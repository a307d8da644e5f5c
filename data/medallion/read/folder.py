"""A store in a local folder, for one process. Old versions are rebuilt in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

from ..lake.datasets import Layer
from ..lake.errors import ObjectMissing
from ..lake.store import CHUNK, Head, Listed, Store
from ..settings import LakeSettings


class FolderStore(Store):
    """The part of `Store` that is needed to rebuild a version.

    Metadata are in memory; the file of an object is named by its ETag. It has no locks, because no
    two threads write the same key.
    """

    def __init__(self, folder: Path, settings: LakeSettings) -> None:
        self.endpoint = str(folder)
        self._settings = settings
        self._folder = folder
        self._heads: dict[tuple[Layer, str], Head] = {}
        self._etags = count()

    def add(
        self, layer: Layer, key: str, content: Iterable[bytes], metadata: Mapping[str, str] | None
    ) -> str:
        """Store content that comes in chunks; returns its ETag."""
        etag = str(next(self._etags))
        with (self._folder / etag).open("wb") as file:
            file.writelines(content)
        size = (self._folder / etag).stat().st_size
        self._heads[layer, key] = Head(etag, size, dict(metadata or {}))
        return etag

    def listed(self, layer: Layer, prefix: str) -> dict[str, Listed]:  # noqa: D102 - as Store says
        return {
            key: Listed(head.bytes, 0.0, head.etag)
            for (bucket, key), head in sorted(self._heads.items())
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
        self.add(layer, key, [content], metadata)

    def put_file(  # noqa: D102
        self, layer: Layer, key: str, file: Path, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        with file.open("rb") as lines:
            self.add(layer, key, lines, metadata)

    def put_if(  # noqa: D102
        self,
        layer: Layer,
        key: str,
        content: bytes,
        etag: str | None,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> str | None:
        head = self.head(layer, key)
        same = (head.etag if head else None) == etag
        return self.add(layer, key, [content], metadata) if same else None

    def get(self, layer: Layer, key: str) -> tuple[bytes, str] | None:  # noqa: D102
        head = self.head(layer, key)
        return ((self._folder / head.etag).read_bytes(), head.etag) if head else None

    def remove(self, layer: Layer, keys: Iterable[str]) -> None:  # noqa: D102
        for key in keys:
            self._heads.pop((layer, key), None)

    def head(self, layer: Layer, key: str) -> Head | None:  # noqa: D102
        return self._heads.get((layer, key))

    def stream(  # noqa: D102
        self, layer: Layer, key: str, start: int = 0, end: int | None = None, etag: str = ""
    ) -> Iterator[bytes]:
        head = self.head(layer, key)
        if head is None or etag not in {"", head.etag}:
            raise ObjectMissing(f"{layer}/{key}")
        with (self._folder / head.etag).open("rb") as file:
            file.seek(start)
            left = (head.bytes if end is None else end) - start
            while chunk := file.read(min(CHUNK, left)):
                left -= len(chunk)
                yield chunk
