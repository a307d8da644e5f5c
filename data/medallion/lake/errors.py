"""The errors of the store, of leases, and of the objects in the lake."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from typing import Any

from ..errors import MedallionError, SettingError


class StoreError(MedallionError):
    """Base of the errors of the object store."""

    endpoint: str


class StoreUnreachable(StoreError):
    """The store does not respond, or cannot serve now. A later run may succeed."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} failed to {action} ({reason}); check MINIO_ENDPOINT, "
        "MINIO_SECURE, LAKE_CA_FILE and that the store is up."
    )


class StoreBusy(StoreUnreachable):
    says = (
        "The object store at {endpoint} failed to {action}, with the response {reason}; it is "
        "overloaded, starting, or has a fault, such as a full disk or a damaged one. Look at "
        "its log and its free space, then run again."
    )


class KeysMissing(SettingError):
    """No setting says which keys the store takes; `variable` are those looked for, in order."""

    says = (
        "There are no keys for the object store: {variable} are not set, and {problem}; set "
        "MINIO_ACCESS_KEY and MINIO_SECRET_KEY, or another of these (see docs/settings.md)."
    )


class KeysUnavailable(StoreUnreachable):
    source: str
    says = (
        "There are no keys for the object store at {endpoint}, because {source} gave none "
        "({reason}); check that this machine has it, then run again."
    )


class StoreFull(StoreError):
    action: str
    reason: str
    says = (
        "The object store at {endpoint} has no space to {action} ({reason}); free some space "
        "there or raise the bucket's quota, then run again."
    )


class StoreClockDiffers(StoreError):
    action: str
    reason: str
    says = (
        "The object store at {endpoint} refused to {action}, because its clock and this machine's "
        "are more than 15 minutes apart ({reason}); set the clock that is wrong, then run again."
    )


class StoreRegionDiffers(StoreError):
    action: str
    region: str
    reason: str
    says = (
        "The object store at {endpoint} refused to {action} in the region {region} ({reason}); set "
        "MINIO_REGION to the store's own region."
    )


class StoreRefused(StoreError):
    action: str
    code: str
    keys: str  # where they come from
    says = (
        "The object store at {endpoint} refused to {action} ({code}); check {keys} and the rights "
        "they carry."
    )


class StoreTokenRefused(StoreRefused):
    says = (
        "The object store at {endpoint} refused to {action} ({code}), because the session token "
        "of these keys has expired or is not theirs; renew {keys} with their token, then run again."
    )


class StoreRequestFailed(StoreError):
    """The store refused a request for any other reason."""

    action: str
    reason: str
    says = (
        "The object store at {endpoint} did not {action}; its response is {reason}. Check that "
        "MINIO_ENDPOINT names an S3 store, and look at its log. If it lacks this operation, use "
        "another store, such as MinIO or SeaweedFS."
    )


class BucketMissing(StoreError):
    """A layer has no bucket. Each block makes its own bucket, if its keys permit it."""

    action: str
    bucket: str
    says = (
        "The object store at {endpoint} failed to {action}: it has no bucket {bucket}; run "
        "the pipeline from its first block, or make the bucket."
    )


class ConditionsUnsupported(StoreError):
    says = (
        "The object store at {endpoint} has no conditional writes (If-None-Match), which "
        "publish a version and keep two runs apart; use one that has them, such as MinIO, "
        "SeaweedFS or AWS S3."
    )


class RaceWonTwice(StoreError):
    writers: int
    winners: int
    says = (
        "The object store at {endpoint} let {winners} of {writers} racing conditional writes win, "
        "where one may; two runs could then write at once. Use a store that honours conditions "
        "under a race, such as MinIO or SeaweedFS."
    )


class LeaseHeld(MedallionError):
    dataset: str
    holder: str
    waited: float
    says = (
        "Run {holder} is writing {dataset}, and did not end in {waited:g} s; nothing was "
        "published. Run again when it has ended, or raise LAKE_LEASE_WAIT_SECONDS."
    )


class VersionTaken(MedallionError):
    dataset: str
    version: int
    says = (
        "Another run has published version {version} of {dataset} meanwhile, because this run did "
        "not renew its lease within LAKE_LEASE_SECONDS; this run has published nothing there. Run "
        "again."
    )


class LakeError(MedallionError):
    """Base of the errors of the objects in the lake."""


class ManifestMissing(LakeError):
    """A dataset has no version yet, or no such version."""

    object: str
    block: str
    says = "There is no {object} yet; run the block {block} first."


class ManifestUnreadable(LakeError):
    object: str
    problem: str
    block: str
    says = "{object} cannot be read ({problem}); run the block {block} again."


class ManifestTooNew(LakeError):
    object: str
    version: int
    known: int
    says = (
        "{object} is of version {version}, newer than our {known}; bring this installation to "
        "the release that wrote it."
    )


class VersionLost(LakeError):
    dataset: str
    version: int
    says = (
        "What version {version} of {dataset} was is lost, because its log entry was damaged; "
        "choose another version (read.versions or make versions lists them)."
    )


class ObjectMissing(LakeError):
    object: str
    says = "{object} is missing; run the pipeline from its first block, which writes it again."


class ObjectDiffers(LakeError):
    object: str
    what: str
    expected: Any
    found: Any
    says = (
        "{object} has {what} {found} where its manifest says {expected}; run the pipeline from "
        "its first block, which writes it again."
    )


class ObjectUnreadable(LakeError):
    object: str
    problem: str
    says = (
        "{object} cannot be read ({problem}), though its manifest names it; run the pipeline from "
        "its first block, which writes it again."
    )


UNREADABLE = (LakeError, StoreBusy, StoreRequestFailed)
"""What a read of a damaged object raises: a store answers 500 for what has rotted in it."""


class ColumnsDiffer(LakeError):
    """A Parquet object lacks a column, or the column has another type."""

    object: str
    lacking: list[str]  # columns, with their types
    says = "{object} lacks {lacking}; run the pipeline again, which writes it."


class SnapshotMissing(LakeError):
    """Bronze has no snapshot with the id in the runtime variable `snapshot`."""

    snapshot: str
    newest: list[str]
    says = "bronze keeps no snapshot {snapshot!r}; the newest kept are: {newest}."
