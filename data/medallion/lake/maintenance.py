"""What is left to do for a dataset once a version is published: its log, and what nobody needs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from .errors import LakeError, ManifestMissing, StoreError
from .manifest import Head, Manifest, sealed
from .records import CONTENT_TYPE
from .store import ObjectInfo
from .version_log import VersionLog

logger = logging.getLogger(__name__)

LONGEST_LOG = 400  # entries of more than a year of daily runs; one listing shows them
REREAD, REREAD_BYTES = 16, 16 << 20  # older entries that a run reads again, in turns

Stored = Mapping[str, ObjectInfo]
"""The objects of a dataset, listed before the publish."""


def oldest_entry(
    log: VersionLog,
    stored: Stored,
    previous: Manifest | None,
    number: int,
    is_over: Callable[[Manifest], bool],
) -> int:
    """The oldest version whose entry has not expired, when version `number` is published."""
    there = log.numbers(stored)
    first = previous.oldest if previous else min(there, default=number)
    first = max(first, number + 1 - LONGEST_LOG)
    for old in (old for old in there if old >= first):
        entry = None
        with suppress(LakeError, StoreError):
            entry = log.entry(old)
        if entry is None or not is_over(entry):
            break
        first = old + 1
    return first


def remove_unneeded(log: VersionLog, stored: Stored, version: Manifest) -> None:
    """Remove what the newest version does not need: earlier objects, old entries, leftovers."""
    dataset = log.dataset
    needed = {*version.named, *(snapshot.object.key for snapshot in version.retained)}
    needed |= {dataset.manifest, str(dataset.object), *dataset.sidecars}
    needed |= {key for key in stored if dataset.number(key) >= version.oldest}
    own = tuple(filter(None, (dataset.folder, dataset.log, dataset.objects)))
    gone = [key for key in sorted(stored) if key.startswith(own) and key not in needed]
    log.store.remove(dataset.layer, gone)


def reread_some(log: VersionLog, stored: Stored, version: Manifest) -> None:
    """Read some of the older entries again, in turns, and tell of those that are lost."""
    dataset, older, size = log.dataset, range(version.oldest, version.version), 0
    turn = version.version * REREAD % max(len(older), 1)
    for number in [*older[turn:], *older[:turn]][:REREAD]:
        if size > REREAD_BYTES:
            break
        key, lost = dataset.entry(number), f"what version {number} of {dataset.path} was is lost"
        if listed := stored.get(key):
            size += listed.bytes
            if isinstance(log.problem(number), LakeError):
                remedy = "remove it, and a later run notes that."
                logger.warning(f"{dataset.layer}/{key} is damaged, and {lost}: {remedy}")
        elif isinstance(log.problem(number), ManifestMissing):
            gone = Head(layer=dataset.layer, dataset=dataset.name, version=number, lost=True)
            log.store.create(dataset.layer, key, sealed(gone), CONTENT_TYPE)
            logger.warning(f"{dataset.layer}/{key} is missing: {lost}.")
