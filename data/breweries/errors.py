"""Every error the pipeline raises, as one small tree.

Each message is one sentence that names the thing and the remedy; the facts behind it are fields, so
that an error log, a test or an alert need not parse text.
"""

from __future__ import annotations

from functools import partial
from typing import Any

__all__ = [  # noqa: RUF022 - a table of contents
    "BreweriesError",
    # settings
    "SettingError",
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
    "StoreRefused",
    "BucketMissing",
    "ConditionsIgnored",
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
    # what the lake holds
    "LakeError",
    "ManifestMissing",
    "ManifestUnreadable",
    "ManifestTooNew",
    "ObjectMissing",
    "ObjectDiffers",
    "ColumnsDiffer",
    "SnapshotMissing",
    # the promise
    "AccountingBroken",
    "DriftStopped",
    "CheckFailed",
]


class BreweriesError(Exception):
    """Root of all errors of the pipeline; its keyword arguments become its fields."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.__dict__.update(facts)

    @property
    def facts(self) -> dict[str, Any]:
        """The fields other than the message."""
        return {name: value for name, value in vars(self).items() if name not in {"message"}}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the fields, which `Exception` alone would lose between processes."""
        return partial(_rebuild, type(self), self.message, self.facts), ()


def _rebuild(kind: type[BreweriesError], message: str, facts: dict[str, Any]) -> BreweriesError:
    error = kind.__new__(kind, message)
    BreweriesError.__init__(error, message, **facts)
    return error


# ---------------------------------------------------------------------------
# Settings
# ---------------------------------------------------------------------------


class SettingError(BreweriesError):
    """A setting is missing, malformed or contradicts another."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(
            f"{variable} {problem}; set it in the environment or in .env (see .env.example).",
            variable=variable,
            problem=problem,
        )


# ---------------------------------------------------------------------------
# The API
# ---------------------------------------------------------------------------


class ApiError(BreweriesError):
    """Base of what goes wrong between us and the Open Brewery DB."""


class RetriableApiError(ApiError):
    """One request failed in a way that another try may mend."""

    retry_after: float | None = None
    """Seconds the server asked us to wait, if it did."""


class ApiUnreachable(RetriableApiError):
    """No answer came: refused, timed out or cut off."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} cannot be reached: {reason}.", url=url, reason=reason)


class ApiBusy(RetriableApiError):
    """The server answered 429 or 5xx."""

    def __init__(self, url: str, status: int, retry_after: float | None) -> None:
        super().__init__(
            f"{url} answered HTTP {status}.", url=url, status=status, retry_after=retry_after
        )


class ApiBodyMalformed(RetriableApiError):
    """The body is cut, not JSON, or not of the shape asked for."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"{url} answered {problem}.", url=url, problem=problem)


class FatalApiError(ApiError):
    """The crawl cannot be finished, and trying on would not help."""


class ApiRefused(FatalApiError):
    """The server understood the request and refused it (a redirect or a 4xx)."""

    def __init__(self, url: str, status: int, answer: str) -> None:
        super().__init__(
            f"{url} refused the request with HTTP {status} ({answer}); check BREWERIES_API_URL and "
            "BREWERIES_API_PAGE_SIZE.",
            url=url,
            status=status,
            answer=answer,
        )


class ApiGaveUp(FatalApiError):
    """Every try of one request failed, or the crawl's time was over."""

    def __init__(self, url: str, attempts: int, last: RetriableApiError, limit: str) -> None:
        super().__init__(
            f"Gave up after {attempts} tries ({limit}): {last.message} Nothing was published; "
            "check BREWERIES_API_URL and the service, then run again.",
            url=url,
            attempts=attempts,
            last=last.message,
            limit=limit,
        )


class ApiEmpty(FatalApiError):
    """The API says it has no record at all, which no version of its data ever had."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} says it has no breweries; nothing was published. Check BREWERIES_API_URL.",
            url=url,
        )


class CrawlIncomplete(FatalApiError):
    """The records fetched do not add up to what the API says it has."""

    def __init__(self, url: str, crawls: int, differences: dict[str, dict[str, int]]) -> None:
        shown = "; ".join(
            f"{name}: {counts['fetched']} fetched, {counts['told']} told"
            for name, counts in list(differences.items())[:5]
        )
        super().__init__(
            f"{crawls} crawls of {url} could not be proved complete ({shown}). Nothing was "
            "published; run again when its data have settled.",
            url=url,
            crawls=crawls,
            differences=differences,
        )


# ---------------------------------------------------------------------------
# The object store
# ---------------------------------------------------------------------------


class StoreError(BreweriesError):
    """Base of what goes wrong between us and the object store."""


class StoreUnreachable(StoreError):
    """The store does not answer, or answers that it cannot serve now."""

    def __init__(self, endpoint: str, action: str, reason: str) -> None:
        super().__init__(
            f"The object store at {endpoint} failed to {action} ({reason}); check MINIO_ENDPOINT, "
            "MINIO_SECURE, MINIO_CA_FILE and that the store is up.",
            endpoint=endpoint,
            action=action,
            reason=reason,
        )


class StoreRefused(StoreError):
    """The store answered, but refuses our keys or the operation."""

    def __init__(self, endpoint: str, action: str, code: str) -> None:
        super().__init__(
            f"The object store at {endpoint} refused to {action} ({code}); check MINIO_ACCESS_KEY, "
            "MINIO_SECRET_KEY and the rights they carry.",
            endpoint=endpoint,
            action=action,
            code=code,
        )


class BucketMissing(StoreError):
    """A layer's bucket is not there (each block makes its own, if its keys may)."""

    def __init__(self, endpoint: str, action: str, bucket: str) -> None:
        super().__init__(
            f"The object store at {endpoint} failed to {action}: it has no bucket {bucket}; run "
            "the pipeline from extract_breweries_data, or make the bucket.",
            endpoint=endpoint,
            action=action,
            bucket=bucket,
        )


class ConditionsIgnored(StoreError):
    """The store writes whatever the condition of a write says."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"The object store at {endpoint} ignores conditional writes (If-None-Match), which "
            "keep two runs apart; use one that honours them, such as MinIO or SeaweedFS.",
            endpoint=endpoint,
        )


# ---------------------------------------------------------------------------
# Two runs at once
# ---------------------------------------------------------------------------


class TurnError(BreweriesError):
    """Base of what happens when another run writes the same dataset."""


class TurnTooLong(TurnError):
    """Another run writes the dataset, and did not end in the time that we wait."""

    def __init__(self, dataset: str, holder: str, waited: float) -> None:
        super().__init__(
            f"Run {holder} is writing {dataset}, and did not end in {waited:g} s; nothing was "
            "published. Run again when it has ended, or raise BREWERIES_TURN_LIMIT_SECONDS.",
            dataset=dataset,
            holder=holder,
            waited=waited,
        )


class TurnLost(TurnError):
    """Another run took this one for dead and went on in its place."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"Another run has taken over {dataset} (or its lease was removed), since this one was "
            "silent for longer than BREWERIES_LEASE_SECONDS. Run again if need be.",
            dataset=dataset,
        )


# ---------------------------------------------------------------------------
# Where the work runs
# ---------------------------------------------------------------------------


class EngineError(BreweriesError):
    """Base of what goes wrong with the processes or the Dask cluster that do the work."""


class ClusterUnreachable(EngineError):
    """No scheduler answers."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"No Dask scheduler can be reached at {address} ({reason}); check "
            "DASK_SCHEDULER_ADDRESS and that it is up, or unset it to run on this machine.",
            address=address,
            reason=reason,
        )


class ClusterEmpty(EngineError):
    """The scheduler has no workers."""

    def __init__(self, address: str, waited: float) -> None:
        super().__init__(
            f"The Dask scheduler at {address} had no worker in {waited:g} s; start some, or unset "
            "DASK_SCHEDULER_ADDRESS to run on this machine.",
            address=address,
            waited=waited,
        )


class WorkersFailed(EngineError):
    """What does the work died, or went away."""

    def __init__(self, where: str, doing: str, reason: str) -> None:
        super().__init__(
            f"The workers of {where} failed at {doing} ({reason}); the version before stays "
            "published. Look at their memory and logs, then run again.",
            where=where,
            doing=doing,
            reason=reason,
        )


class WorkerDiffers(EngineError):
    """A worker has another version of the code, so its rows could differ."""

    def __init__(self, version: str, ours: str) -> None:
        super().__init__(
            f"A Dask worker has code {version} where this process has {ours}; start the workers "
            "from the same image or checkout.",
            version=version,
            ours=ours,
        )


# ---------------------------------------------------------------------------
# What the lake holds
# ---------------------------------------------------------------------------


class LakeError(BreweriesError):
    """Base of what is wrong with the objects of the lake themselves."""


class ManifestMissing(LakeError):
    """A layer that must be read has not been published yet."""

    def __init__(self, name: str, block: str) -> None:
        super().__init__(
            f"There is no {name} yet; run the block {block} first.", object=name, block=block
        )


class ManifestUnreadable(LakeError):
    """A manifest is cut or malformed."""

    def __init__(self, name: str, problem: str, block: str) -> None:
        super().__init__(
            f"{name} cannot be read ({problem}); run the block {block} again to write it anew.",
            object=name,
            problem=problem,
            block=block,
        )


class ManifestTooNew(LakeError):
    """A manifest was written by a later release, in a form that this one does not know."""

    def __init__(self, name: str, version: int, known: int) -> None:
        super().__init__(
            f"{name} is of version {version}, newer than our {known}; bring this installation to "
            "the release that wrote it.",
            object=name,
            version=version,
            known=known,
        )


class ObjectMissing(LakeError):
    """An object that a manifest names is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is missing; run the pipeline from extract_breweries_data to write it anew.",
            object=name,
        )


class ObjectDiffers(LakeError):
    """An object is not what its manifest says."""

    def __init__(self, name: str, what: str, expected: object, found: object) -> None:
        super().__init__(
            f"{name} has {what} {found} where its manifest says {expected}; run the pipeline from "
            "extract_breweries_data to write both anew.",
            object=name,
            what=what,
            expected=expected,
            found=found,
        )


class ColumnsDiffer(LakeError):
    """A Parquet object lacks a column, or has it with another type."""

    def __init__(self, name: str, expected: dict[str, str], found: dict[str, str]) -> None:
        lacking = ", ".join(f"{c} ({t})" for c, t in expected.items() if found.get(c) != t)
        super().__init__(
            f"{name} lacks {lacking}; run the block transform_breweries to write it anew.",
            object=name,
            expected=expected,
            found=found,
        )


class SnapshotMissing(LakeError):
    """The runtime variable `snapshot` names no kept answer."""

    def __init__(self, snapshot: str, kept: list[str]) -> None:
        newest = ", ".join(kept[-5:]) or "none"
        super().__init__(
            f"bronze keeps no snapshot {snapshot!r}; the newest kept are: {newest}.",
            snapshot=snapshot,
            kept=kept,
        )


# ---------------------------------------------------------------------------
# The promise
# ---------------------------------------------------------------------------


class AccountingBroken(BreweriesError):
    """Rows appeared or vanished between two layers."""

    def __init__(self, equation: str, left: int, right: int) -> None:
        super().__init__(
            f"Rows do not add up: {equation} should hold, but {left} is not {right}; the version "
            "before stays published. Please report this as a bug.",
            equation=equation,
            left=left,
            right=right,
        )


class DriftStopped(BreweriesError):
    """The data changed against the version before in a way that a rule of the settings stops."""

    def __init__(self, drifts: list[dict[str, Any]]) -> None:
        said = "; ".join(drift["what"] for drift in drifts)
        rules = ", ".join(dict.fromkeys(drift["rule"] for drift in drifts))
        super().__init__(
            f"The data changed too much ({said}); the version before stays published. If that is "
            f"right, run once with BREWERIES_STOP_ON without {rules}, or raise "
            "BREWERIES_LARGEST_FALL_PERCENT.",
            drifts=drifts,
        )


class CheckFailed(BreweriesError, AssertionError):
    """A block's output is not what it should be (Mage counts AssertionErrors of its tests)."""

    def __init__(self, what: str, expected: object, found: object) -> None:
        super().__init__(
            f"{what} is {found} where {expected} was expected.",
            what=what,
            expected=expected,
            found=found,
        )
