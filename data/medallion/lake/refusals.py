"""Maps the error codes of S3 to our errors, which say what to do.

The codes come from AWS's list of S3 errors and from MinIO's `cmd/api-errors.go`. SeaweedFS uses
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
        endpoint: the store's address.
        action: the request in words.
        code: the S3 code; "" if the response has none.
        message: the message beside the code.
        status: the HTTP status; 0 if unknown, as for one object of a removal of many.
        region: the region that the request was signed for.
    """
    short = code or f"HTTP {status}"
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    reason = f"{short}: {message}" if message else short
    if code in FULL or status == 507:
        return StoreFull(endpoint, action, reason)
    if code in CLOCK:
        return StoreClockDiffers(endpoint, action, reason)
    if code in REGION:
        return StoreRegionDiffers(endpoint, action, region, reason)
    if code in KEYS or status in {401, 403}:
        return StoreRefused(endpoint, action, short)
    if code in BUSY or status in {408, 429} or status >= 500:
        return StoreBusy(endpoint, action, reason)
    return StoreAnsweredOtherwise(endpoint, action, reason)
