"""Every error the pipeline raises, as one small tree.

Each says one sentence that names the thing and the remedy; the facts behind it are fields, so that
an error log, a test or an alert need not parse text.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from typing_extensions import dataclass_transform

__all__ = [  # noqa: RUF022 - a table of contents
    "BreweriesError",
    # settings, and this machine
    "SettingError",
    "SettingsFileUnreadable",
    "TemporaryFolderUnusable",
    # the API: worth another try
    "ApiError",
    "RetriableApiError",
    "ApiUnreachable",
    "ApiBusy",
    "ApiBodyMalformed",
    # the API: not worth another try
    "FatalApiError",
    "ApiRefused",
    "ApiGaveUp",
    "ApiEmpty",
    "CrawlIncomplete",
    # the object store
    "StoreError",
    "StoreUnreachable",
    "StoreBusy",
    "StoreFull",
    "StoreClockDiffers",
    "StoreRegionDiffers",
    "StoreRefused",
    "StoreAnsweredOtherwise",
    "BucketMissing",
    "ConditionsIgnored",
    "RaceWonTwice",
    # two runs at once
    "TurnError",
    "TurnTooLong",
    "TurnLost",
    # where the work runs
    "EngineError",
    "ClusterUnreachable",
    "ClusterEmpty",
    "WorkersFailed",
    "WorkerDiffers",
    "ProcessesRefused",
    # what the lake holds
    "LakeError",
    "ManifestMissing",
    "ManifestUnreadable",
    "ManifestTooNew",
    "ObjectMissing",
    "ObjectDiffers",
    "ObjectUnreadable",
    "ColumnsDiffer",
    "SnapshotMissing",
    # the promise
    "AccountingBroken",
    "DriftStopped",
    "CheckFailed",
    # what others raised
    "SecretBlanked",
]


@dataclass_transform(eq_default=False)
class BreweriesError(Exception):
    """Root of all errors of the pipeline: each is a dataclass, and `says` its sentence."""

    says: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(eq=False, repr=False)(cls)

    def __str__(self) -> str:
        """The sentence, with the facts in it."""
        return self.says.format_map(self.facts)

    @property
    def facts(self) -> dict[str, Any]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the fields, as `Exception` does by position alone."""
        return type(self), tuple(self.facts.values())


# ---------------------------------------------------------------------------
# Settings, and this machine
# ---------------------------------------------------------------------------


class SettingError(BreweriesError):
    """A setting is missing, malformed or contradicts another."""

    variable: str
    problem: str
    says = "{variable} {problem}; set it in the environment or in .env (see .env.example)."


class SettingsFileUnreadable(SettingError):
    """The file `.env` cannot be read; `variable` is its path."""

    says = "{variable} cannot be read ({problem}); save it as UTF-8 text that this user may read."


class TemporaryFolderUnusable(BreweriesError):
    """The folder for temporary files is full, or cannot be written."""

    folder: str
    reason: str
    says = (
        "The temporary folder {folder} cannot be used ({reason}); nothing was published. Free "
        "some space there, or set TMPDIR to another folder, then run again."
    )


# ---------------------------------------------------------------------------
# The API
# ---------------------------------------------------------------------------


class ApiError(BreweriesError):
    """Base of what goes wrong between us and the API."""

    url: str
    """The address that was asked, with its query, so that a person can open it."""


class RetriableApiError(ApiError):
    """One request failed in a way that another try may mend."""


class ApiUnreachable(RetriableApiError):
    """No answer came: refused, timed out or cut off."""

    reason: str
    says = "{url} cannot be reached: {reason}."


class ApiBusy(RetriableApiError):
    """The server answered 408, 425, 429 or 5xx."""

    status: int
    retry_after: float | None
    """Seconds it asked us to wait, if it did."""

    def __str__(self) -> str:
        """The sentence, with the wait that was asked for."""
        wait = f" and asks us to wait {self.retry_after:g} s" if self.retry_after else ""
        return f"{self.url} answered HTTP {self.status}{wait}."


class ApiBodyMalformed(RetriableApiError):
    """The body is cut, not JSON, or not of the shape asked for."""

    problem: str
    says = "{url} answered {problem}."


class FatalApiError(ApiError):
    """The crawl cannot be finished, and trying on would not help."""


class ApiRefused(FatalApiError):
    """The server understood the request and refused it (a redirect or a 4xx)."""

    status: int
    answer: str
    says = (
        "{url} refused the request with HTTP {status} ({answer}); check BREWERIES_API_URL and "
        "BREWERIES_API_PAGE_SIZE."
    )


class ApiGaveUp(FatalApiError):
    """Every try of one request failed, or the crawl's time was over."""

    attempts: int
    last: str
    """What the last try failed of."""
    limit: str
    says = (
        "Gave up after {attempts} tries ({limit}): {last} Nothing was published; "
        "open that address to see what the service answers, check BREWERIES_API_URL, run again."
    )


class ApiEmpty(FatalApiError):
    """The API says it has no record at all, which no version of its data ever had."""

    says = "{url} says it has no breweries; nothing was published. Check BREWERIES_API_URL."


class CrawlIncomplete(FatalApiError):
    """The records fetched do not add up to what the API says it has."""

    crawls: int
    differences: dict[str, dict[str, int]]

    def __str__(self) -> str:
        """The sentence, with the first differences in it."""
        shown = "; ".join(
            f"{name}: {counts['fetched']} fetched, {counts['told']} told"
            for name, counts in list(self.differences.items())[:5]
        )
        return (
            f"{self.crawls} crawls of {self.url} could not be proved complete ({shown}). Nothing "
            "was published; run again when its data have settled."
        )


# ---------------------------------------------------------------------------
# The object store
# ---------------------------------------------------------------------------


class StoreError(BreweriesError):
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
        "the pipeline from extract_breweries_data, or make the bucket."
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


# ---------------------------------------------------------------------------
# Two runs at once
# ---------------------------------------------------------------------------


class TurnError(BreweriesError):
    """Base of what happens when another run writes the same dataset."""

    dataset: str


class TurnTooLong(TurnError):
    """Another run writes the dataset, and did not end in the time that we wait."""

    holder: str
    waited: float
    says = (
        "Run {holder} is writing {dataset}, and did not end in {waited:g} s; nothing was "
        "published. Run again when it has ended, or raise BREWERIES_TURN_LIMIT_SECONDS."
    )


class TurnLost(TurnError):
    """Another run took this one for dead and went on in its place."""

    says = (
        "Another run has taken over {dataset} (or its lease was removed), since this one was "
        "silent for longer than BREWERIES_LEASE_SECONDS. Run again if need be."
    )


# ---------------------------------------------------------------------------
# Where the work runs
# ---------------------------------------------------------------------------


class EngineError(BreweriesError):
    """Base of what goes wrong with the processes or the Dask cluster that do the work."""


class ClusterUnreachable(EngineError):
    """No scheduler answers."""

    address: str
    reason: str
    says = (
        "No Dask scheduler can be reached at {address} ({reason}); check "
        "DASK_SCHEDULER_ADDRESS and that it is up, or unset it to run on this machine."
    )


class ClusterEmpty(EngineError):
    """The scheduler has no workers."""

    address: str
    waited: float
    says = (
        "The Dask scheduler at {address} had no worker in {waited:g} s; start some, or unset "
        "DASK_SCHEDULER_ADDRESS to run on this machine."
    )


class WorkersFailed(EngineError):
    """What does the work died, or went away."""

    where: str
    doing: str
    reason: str
    says = (
        "The workers of {where} failed at {doing} ({reason}); the version before stays "
        "published. Look at their memory and logs, then run again."
    )


class ProcessesRefused(EngineError):
    """The system starts no more processes or threads."""

    reason: str
    says = (
        "This machine starts no more processes ({reason}); the version before stays published. "
        "Raise its limit of processes or memory, or lower BREWERIES_PROCESSES, then run again."
    )


class WorkerDiffers(EngineError):
    """A worker has another version of the code, so its rows could differ."""

    version: str
    ours: str
    says = (
        "A Dask worker has code {version} where this process has {ours}; start the workers "
        "from the same image or checkout."
    )


# ---------------------------------------------------------------------------
# What the lake holds
# ---------------------------------------------------------------------------


class LakeError(BreweriesError):
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
    says = "{object} cannot be read ({problem}); run the block {block} again to write it anew."


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
    says = "{object} is missing; run the pipeline from extract_breweries_data to write it anew."


class ObjectDiffers(LakeError):
    """An object is not what its manifest says."""

    object: str
    what: str
    expected: Any
    found: Any
    says = (
        "{object} has {what} {found} where its manifest says {expected}; run the pipeline from "
        "extract_breweries_data to write both anew."
    )


class ObjectUnreadable(LakeError):
    """An object is what its manifest says, but not of the form that its layer has."""

    object: str
    problem: str
    says = (
        "{object} cannot be read ({problem}), though its manifest names it; run the pipeline from "
        "extract_breweries_data to write both anew."
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
        return (
            f"{self.object} lacks {lacking}; run the pipeline from transform_breweries to write it "
            "anew."
        )


class SnapshotMissing(LakeError):
    """The runtime variable `snapshot` names no kept answer."""

    snapshot: str
    kept: list[str]

    def __str__(self) -> str:
        """The sentence, with the newest that are kept."""
        newest = ", ".join(self.kept[-5:]) or "none"
        return f"bronze keeps no snapshot {self.snapshot!r}; the newest kept are: {newest}."


# ---------------------------------------------------------------------------
# The promise
# ---------------------------------------------------------------------------


class AccountingBroken(BreweriesError):
    """Rows appeared or vanished between two layers."""

    equation: str
    left: int
    right: int
    says = (
        "Rows do not add up: {equation} should hold, but {left} is not {right}; the version "
        "before stays published. Please report this as a bug."
    )


class DriftStopped(BreweriesError):
    """The data changed against the version before in a way that a rule of the settings stops."""

    drifts: list[dict[str, Any]]

    def __str__(self) -> str:
        """The sentence, with what changed and by which rules it stops."""
        said = "; ".join(drift["what"] for drift in self.drifts)
        rules = list(dict.fromkeys(drift["rule"] for drift in self.drifts))
        limit = ", or raise BREWERIES_LARGEST_FALL_PERCENT" if "row_fall" in rules else ""
        return (
            f"The data changed too much ({said}); the version before stays published. If that is "
            f"right, run once with BREWERIES_STOP_ON without {', '.join(rules)}{limit}."
        )


class CheckFailed(BreweriesError, AssertionError):
    """A block's output is not what it should be (Mage counts AssertionErrors of its tests)."""

    what: str
    expected: Any
    found: Any
    says = "{what} is {found} where {expected} was expected."


# ---------------------------------------------------------------------------
# What others raised
# ---------------------------------------------------------------------------


class SecretBlanked(BreweriesError):
    """An error that showed a secret, without it; it stands in the place of that error."""

    kind: str
    message: str
    says = "{kind}: {message}"
