"""Maps the error codes of S3 to our errors, which say what to do.

The codes come from AWS's list of S3 errors and from MinIO's `cmd/api-errors.go`. SeaweedFS uses
some of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import errors

LONGEST_MESSAGE = 300  # characters; a proxy's error page is longer
_CONNECTION = re.compile(r"^(?:<.*>|\w+\(host=[^)]*\)): ")  # what urllib3's messages begin with

FULL = "it has no space for it: free some space there or raise the bucket's quota, then run again"
KEYS = "check {keys} and the rights they carry"
EXPIRED = (
    "the session token of these keys has expired or is not theirs: renew {keys} with their token, "
    "then run again"
)
REMEDIES: Mapping[str, str] = {
    FULL: (
        "InsufficientStorage QuotaExceeded XMinioAdminBucketQuotaExceeded XMinioStorageFull 507"
    ),
    "its clock and this machine's are more than 15 minutes apart: set the clock that is wrong, "
    "then run again": "RequestExpired RequestTimeTooSkewed",
    "it was asked in the region {region}: set MINIO_REGION to the store's own region": (
        "AuthorizationHeaderMalformed IllegalLocationConstraintException InvalidLocationConstraint "
        "InvalidRegion PermanentRedirect Redirect TemporaryRedirect"
    ),
    KEYS: (
        "AccessDenied AccountProblem AllAccessDisabled InvalidAccessKeyId SignatureDoesNotMatch "
        "UnauthorizedAccess XMinioInvalidIAMCredentials 401 403"
    ),
    EXPIRED: "ExpiredToken ExpiredTokenException InvalidToken InvalidTokenId TokenRefreshRequired",
}
"""What a person can do, to the codes and the HTTP statuses after which it helps."""
REMEDY_OF = {code: remedy for remedy, codes in REMEDIES.items() for code in codes.split()}
BUSY = (
    "InternalError OperationAborted RequestTimeout ServerBusy ServiceUnavailable SlowDown "
    "SlowDownRead SlowDownWrite TooManyRequests XMinioBackendDown "
    "XMinioBucketMetadataNotInitialized XMinioIAMNotInitialized XMinioServerNotInitialized"
)


def refusal(
    endpoint: str,
    action: str,
    code: str,
    message: str = "",
    status: int = 0,
    region: str = "",
    keys: str = "MINIO_ACCESS_KEY, MINIO_SECRET_KEY",
) -> errors.StoreError:
    """Our error for an error response to a request, which `action` says in words.

    The code is "" if the response has none; the status is 0 if it is unknown, as for one object of
    a removal of many. The request was signed for `region`, with keys whose source is `keys`.
    """
    short = code or f"HTTP {status}"
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    reason = f"{short}: {message}" if message else short
    if remedy := REMEDY_OF.get(code) or REMEDY_OF.get(str(status)):
        # What a store says of keys may show them.
        said = short if remedy in {KEYS, EXPIRED} else reason
        told = remedy.format(region=region, keys=keys)
        return errors.StoreRefused(endpoint, action, short, said, told)
    is_busy = code in BUSY.split() or status in {408, 429} or status >= 500
    kind = errors.StoreBusy if is_busy else errors.StoreRequestFailed
    return kind(endpoint, action, reason)


def reason_of(error: Exception) -> str:
    """The reason why no response came, in a line."""
    inner = getattr(error, "reason", None) or error
    message = _CONNECTION.sub("", " ".join(str(inner).split()))
    return message[:LONGEST_MESSAGE] or type(inner).__name__
