"""What the error codes of S3 mean for a person who must act on one.

The codes are those of AWS's list of S3 errors and of MinIO's `cmd/api-errors.go`; SeaweedFS has
some of them.
"""

from __future__ import annotations

from .errors import (
    StoreAnsweredOtherwise,
    StoreBusy,
    StoreClockDiffers,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreRegionDiffers,
)

LONGEST_MESSAGE = 300  # characters; a proxy's error page is longer

BUSY = frozenset(
    {
        "InternalError",
        "OperationAborted",
        "RequestTimeout",
        "ServerBusy",
        "ServiceUnavailable",
        "SlowDown",
        "SlowDownRead",
        "SlowDownWrite",
        "TooManyRequests",
        "XMinioBackendDown",
        "XMinioBucketMetadataNotInitialized",
        "XMinioIAMNotInitialized",
        "XMinioServerNotInitialized",
    }
)
FULL = frozenset(
    {
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
CLOCK = frozenset({"RequestExpired", "RequestTimeTooSkewed"})
REGION = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidLocationConstraint",
        "InvalidRegion",
        "PermanentRedirect",
        "Redirect",
        "TemporaryRedirect",
    }
)
KEYS = frozenset(
    {
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "InvalidTokenId",
        "SignatureDoesNotMatch",
        "UnauthorizedAccess",
        "XMinioInvalidIAMCredentials",
    }
)


def refusal(
    endpoint: str, action: str, code: str, message: str = "", status: int = 0, region: str = ""
) -> StoreError:
    """Our error for an error response of the store.

    Args:
        endpoint: the store's.
        action: what it was asked for, in words.
        code: of S3; "" where the answer had none.
        message: beside the code.
        status: of HTTP; 0 where it is not known, as for one object of a removal of many.
        region: that the request was signed for.
    """
    said = code or f"HTTP {status}"
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    reason = f"{said}: {message}" if message else said
    if code in FULL or status == 507:
        return StoreFull(endpoint, action, reason)
    if code in CLOCK:
        return StoreClockDiffers(endpoint, action, reason)
    if code in REGION:
        return StoreRegionDiffers(endpoint, action, region, reason)
    if code in KEYS or status in {401, 403}:
        return StoreRefused(endpoint, action, said)
    if code in BUSY or status in {408, 429} or status >= 500:
        return StoreBusy(endpoint, action, reason)
    return StoreAnsweredOtherwise(endpoint, action, reason)
