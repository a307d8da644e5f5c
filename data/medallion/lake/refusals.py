"""Maps the error codes of S3 to our errors, which say what to do.

The codes come from AWS's list of S3 errors and from MinIO's `cmd/api-errors.go`. SeaweedFS uses
some of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import errors

LONGEST_MESSAGE = 300  # characters; a proxy's error page is longer
KEYS = "MINIO_ACCESS_KEY, MINIO_SECRET_KEY"  # where most keys come from
_CONNECTION = re.compile(r"^(?:<.*>|\w+\(host=[^)]*\)): ")  # what urllib3's messages begin with

CODES: Mapping[type[Any], str] = {
    errors.StoreFull: (
        "InsufficientStorage QuotaExceeded XMinioAdminBucketQuotaExceeded XMinioStorageFull 507"
    ),
    errors.StoreClockDiffers: "RequestExpired RequestTimeTooSkewed",
    errors.StoreRegionDiffers: (
        "AuthorizationHeaderMalformed IllegalLocationConstraintException InvalidLocationConstraint "
        "InvalidRegion PermanentRedirect Redirect TemporaryRedirect"
    ),
    errors.StoreRefused: (
        "AccessDenied AccountProblem AllAccessDisabled InvalidAccessKeyId SignatureDoesNotMatch "
        "UnauthorizedAccess XMinioInvalidIAMCredentials 401 403"
    ),
    errors.StoreTokenRefused: (
        "ExpiredToken ExpiredTokenException InvalidToken InvalidTokenId TokenRefreshRequired"
    ),
    errors.StoreBusy: (
        "InternalError OperationAborted RequestTimeout ServerBusy ServiceUnavailable SlowDown "
        "SlowDownRead SlowDownWrite TooManyRequests XMinioBackendDown "
        "XMinioBucketMetadataNotInitialized XMinioIAMNotInitialized XMinioServerNotInitialized"
    ),
}
"""Our error to the codes and HTTP statuses that it stands for; a code tells more than a status."""
KIND_OF = {code: kind for kind, codes in CODES.items() for code in codes.split()}


def refusal(
    endpoint: str,
    action: str,
    code: str,
    message: str = "",
    status: int = 0,
    region: str = "",
    keys: str = KEYS,
) -> errors.StoreError:
    """Our error for an error response to a request, which `action` says in words.

    The code is "" if the response has none; the status is 0 if it is unknown, as for one object of
    a removal of many. The request was signed for `region`, with keys whose source is `keys`.
    """
    short = code or f"HTTP {status}"
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    reason = f"{short}: {message}" if message else short
    is_busy = status in {408, 429} or status >= 500
    otherwise = errors.StoreBusy if is_busy else errors.StoreRequestFailed
    kind: type[Any] = KIND_OF.get(code) or KIND_OF.get(str(status)) or otherwise
    facts: tuple[str, ...] = (reason,)
    if issubclass(kind, errors.StoreRefused):
        facts = short, keys
    elif kind is errors.StoreRegionDiffers:
        facts = region, reason
    error: errors.StoreError = kind(endpoint, action, *facts)
    return error


def reason_of(error: Exception) -> str:
    """The reason why no response came, in a line."""
    inner = getattr(error, "reason", None) or error
    message = _CONNECTION.sub("", " ".join(str(inner).split()))
    return message[:LONGEST_MESSAGE] or type(inner).__name__
