"""What goes wrong with the store, with a lease, and with what the lake holds."""

from __future__ import annotations

from typing import Any

from ..errors import MedallionError


class StoreError(MedallionError):
    """Base of what goes wrong between us and the object store."""

    endpoint: str


class StoreUnreachable(StoreError):
    """The store does not answer, or answers that it cannot serve now: worth another try."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} failed to {action} ({reason}); check MINIO_ENDPOINT, "
        "MINIO_SECURE, MINIO_CA_FILE and that the store is up."
    )


class StoreBusy(StoreUnreachable):
    """The store answered each try with an error of its own, such as 503."""

    says = (
        "The object store at {endpoint} failed to {action}, and answered {reason}; it is "
        "overloaded, starting, or has a fault, such as a full disk. Look at its log and its free "
        "space, then run again."
    )


class StoreFull(StoreError):
    """The store has no room left, or the bucket's quota is used up."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} has no room to {action} ({reason}); free some space "
        "there or raise the bucket's quota, then run again."
    )


class StoreClockDiffers(StoreError):
    """The store refuses requests of our time."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} refused to {action}, since its clock and this machine's "
        "are more than 15 minutes apart ({reason}); set the clock that is wrong, then run again."
    )


class StoreRegionDiffers(StoreError):
    """The store is in another region than the one that requests are signed for."""

    action: str
    region: str
    reason: str
    says = (
        "The object store at {endpoint} refused to {action} in the region {region} ({reason}); set "
        "MINIO_REGION to the store's own region."
    )


class StoreRefused(StoreError):
    """The store answered, but refuses our keys or what they want."""

    action: str
    code: str
    says = (
        "The object store at {endpoint} refused to {action} ({code}); check MINIO_ACCESS_KEY, "
        "MINIO_SECRET_KEY and the rights they carry."
    )


class StoreAnsweredOtherwise(StoreError):
    """The store did not do what it was asked for, for a reason that is none of the above."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} did not {action}, and answered {reason}; look at its log. "
        "If it lacks what is asked for, use another store, such as MinIO or SeaweedFS."
    )


class BucketMissing(StoreError):
    """A layer's bucket is not there (each block makes its own, if its keys may)."""

    action: str
    bucket: str
    says = (
        "The object store at {endpoint} failed to {action}: it has no bucket {bucket}; run "
        "the pipeline from its first block, or make the bucket."
    )


class ConditionsIgnored(StoreError):
    """The store writes whatever the condition of a write says."""

    says = (
        "The object store at {endpoint} ignores conditional writes (If-None-Match), which "
        "keep two runs apart; use one that honours them, such as MinIO or SeaweedFS."
    )


class RaceWonTwice(StoreError):
    """The store honours conditional writes one after the other, but not at once."""

    writers: int
    winners: int
    says = (
        "The object store at {endpoint} let {winners} of {writers} racing conditional writes win, "
        "where one may; two runs could then write at once. Use a store that honours conditions "
        "under a race, such as MinIO or SeaweedFS."
    )


class LeaseError(MedallionError):
    """Base of what happens when another run writes the same dataset."""

    dataset: str


class LeaseHeld(LeaseError):
    """Another run writes the dataset, and did not end in the time that we wait."""

    holder: str
    waited: float
    says = (
        "Run {holder} is writing {dataset}, and did not end in {waited:g} s; nothing was "
        "published. Run again when it has ended, or raise LAKE_TURN_LIMIT_SECONDS."
    )


class LeaseLost(LeaseError):
    """Another run acquired the lease, which this one did not renew in time."""

    says = (
        "Another run has acquired the lease of {dataset} (or somebody removed it), since this run "
        "did not renew it within LAKE_LEASE_SECONDS. Run again."
    )


class LakeError(MedallionError):
    """Base of what is wrong with the objects of the lake themselves."""


class ManifestMissing(LakeError):
    """A layer that must be read has not been published yet."""

    object: str
    block: str
    says = "There is no {object} yet; run the block {block} first."


class ManifestUnreadable(LakeError):
    """A manifest is cut or malformed."""

    object: str
    problem: str
    block: str
    says = "{object} cannot be read ({problem}); run the block {block} again, which writes it."


class ManifestTooNew(LakeError):
    """A manifest was written by a later release, in a form that this one does not know."""

    object: str
    version: int
    known: int
    says = (
        "{object} is of version {version}, newer than our {known}; bring this installation to "
        "the release that wrote it."
    )


class ObjectMissing(LakeError):
    """An object that a manifest names is not there."""

    object: str
    says = "{object} is missing; run the pipeline from its first block, which writes it."


class ObjectDiffers(LakeError):
    """An object is not what its manifest says."""

    object: str
    what: str
    expected: Any
    found: Any
    says = (
        "{object} has {what} {found} where its manifest says {expected}; run the pipeline from "
        "its first block, which writes both again."
    )


class ObjectUnreadable(LakeError):
    """An object is what its manifest says, but not of the form that its layer has."""

    object: str
    problem: str
    says = (
        "{object} cannot be read ({problem}), though its manifest names it; run the pipeline from "
        "its first block, which writes both again."
    )


class ColumnsDiffer(LakeError):
    """A Parquet object lacks a column, or has it with another type."""

    object: str
    expected: dict[str, str]
    found: dict[str, str]

    def __str__(self) -> str:
        """The sentence, with the columns that it lacks."""
        wanted = self.expected.items()
        lacking = ", ".join(f"{c} ({t})" for c, t in wanted if self.found.get(c) != t)
        return f"{self.object} lacks {lacking}; run the pipeline again, which writes it."


class SnapshotMissing(LakeError):
    """The runtime variable `snapshot` names no snapshot that bronze retains."""

    snapshot: str
    kept: list[str]

    def __str__(self) -> str:
        """The sentence, with the newest that are kept."""
        newest = ", ".join(self.kept[-5:]) or "none"
        return f"bronze keeps no snapshot {self.snapshot!r}; the newest kept are: {newest}."
