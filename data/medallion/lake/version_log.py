"""The log of a dataset: an entry for each version. To create the next entry is to publish it.

The protocol is that of Delta and Iceberg, in plain JSON (delta-io/delta `PROTOCOL.md`,
apache/iceberg `format/spec.md`): entries never change, and a version names only objects that never
change, under names that no other writer uses. So no late or repeated request can spoil a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from . import errors
from .batches import in_threads
from .datasets import Dataset
from .manifest import MANIFEST_VERSION, Head, Manifest, check_seal, first_problem, sealed
from .records import CONTENT_TYPE
from .store import Store


@dataclass(frozen=True)
class VersionLog:
    """The log of a dataset in a store."""

    store: Store
    dataset: Dataset

    def numbers(self, keys: Iterable[str] | None = None) -> list[int]:
        """The versions whose entries are there, oldest first, by the given or a new listing."""
        if keys is None:
            keys = self.store.listed(self.dataset.layer, self.dataset.log)
        return sorted(number for key in keys if (number := self.dataset.number(key)))

    def newest(self) -> Manifest:
        """The newest version.

        Raises:
            ManifestMissing: there is no version yet.
            ManifestUnreadable, VersionLost: the newest entry is damaged, and so is its copy.
            ManifestTooNew: a later release wrote it.
        """
        return self.newest_content()[0]

    def newest_content(self, keys: Iterable[str] | None = None) -> tuple[Manifest, bytes]:
        """As `newest`, with the content of the entry; `keys` is a listing made just before.

        The copy at the fixed name spares the entry. It may be late, or damaged, and the entry may
        be: so it counts unless the log has a later version.
        """
        copy = None
        with suppress(
            errors.ManifestMissing, errors.ManifestUnreadable, errors.VersionLost, errors.StoreBusy
        ):
            copy = self._read(self.dataset.manifest)
        last = max(self.numbers(keys), default=0)
        if copy and copy[0].version >= last:
            return copy
        if not last:
            name = f"{self.dataset.layer}/{self.dataset.manifest}"
            raise errors.ManifestMissing(name, self.dataset.block)
        return self._read(self.dataset.entry(last))

    def entry(self, number: int) -> Manifest:
        """A version by its number; VersionLost if it was lost; other errors as of `newest`."""
        return self._read(self.dataset.entry(number))[0]

    def entries(self) -> Iterator[tuple[int, Manifest | None]]:
        """All versions by number, oldest first; None for one that is lost or cannot be read."""

        def read(number: int) -> tuple[int, Manifest | None]:
            with suppress(*errors.UNREADABLE):
                return number, self.entry(number)
            return number, None

        newest = self.newest()
        older = range(newest.oldest, newest.version)
        yield from in_threads(self.store.connections, read, older)
        yield newest.version, newest

    def append(self, manifest: Manifest) -> bytes | None:
        """Publish a version, by creating its entry; returns its content.

        Returns None if another run published a version of this number, and this one nothing.

        Raises:
            StoreError: the store failed; the version may be published all the same.
        """
        key, content = self.dataset.entry(manifest.version), sealed(manifest)
        created = self.store.create(self.dataset.layer, key, content, CONTENT_TYPE)
        # The answer is no proof: a store may say 200 to what it does not store, and our own write
        # is refused where it comes twice.
        stands = self.store.get(self.dataset.layer, key)
        if stands is None:
            action = f"store {self.dataset.layer}/{key}"
            reason = "that it did, and it is not there" if created else "a conflict, with no object"
            raise errors.StoreRequestFailed(self.store.endpoint, action, reason)
        return content if stands == content else None

    def problem(self, number: int) -> errors.LakeError | errors.StoreError | None:
        """As `Lake.problem`, of an entry; None too if the log says that the version is lost."""
        try:
            self.entry(number)
        except errors.UNREADABLE as error:
            return None if isinstance(error, errors.VersionLost) else error
        return None

    def _read(self, key: str) -> tuple[Manifest, bytes]:
        name = f"{self.dataset.layer}/{key}"
        content = self.store.get(self.dataset.layer, key)
        if content is None:
            raise errors.ManifestMissing(name, self.dataset.block)
        try:
            check_seal(content)
            head = Head.model_validate_json(content)
            if head.manifest_version > MANIFEST_VERSION:
                raise errors.ManifestTooNew(name, head.manifest_version, MANIFEST_VERSION)
            if head.lost:
                raise errors.VersionLost(self.dataset.path, head.version)
            return Manifest.model_validate_json(content), content
        except ValueError as error:
            problem = first_problem(error)
            raise errors.ManifestUnreadable(name, problem, self.dataset.block) from None
