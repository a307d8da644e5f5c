"""Maps the error codes of S3 to our errors, which say what to do.

The codes come from AWS's list of S3 errors and from MinIO's `cmd/api-errors.go`. SeaweedFS uses
some of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import errors

LONGEST_MESSAGE = 300  # characters; a proxy's error page is longer

CODES: Mapping[type[errors.StoreError], str] = {
    errors.StoreFull: (
        "InsufficientStorage QuotaExceeded XMinioAdminBucketQuotaExceeded XMinioStorageFull"
    ),
    errors.StoreClockDiffers: "RequestExpired RequestTimeTooSkewed",
    errors.StoreRegionDiffers: (
        "AuthorizationHeaderMalformed IllegalLocationConstraintException InvalidLocationConstraint "
        "InvalidRegion PermanentRedirect Redirect TemporaryRedirect"
    ),
    errors.StoreRefused: (
        "AccessDenied AccountProblem AllAccessDisabled ExpiredToken InvalidAccessKeyId "
        "InvalidToken InvalidTokenId SignatureDoesNotMatch UnauthorizedAccess "
        "XMinioInvalidIAMCredentials"
    ),
    errors.StoreBusy: (
        "InternalError OperationAborted RequestTimeout ServerBusy ServiceUnavailable SlowDown "
        "SlowDownRead SlowDownWrite TooManyRequests XMinioBackendDown "
        "XMinioBucketMetadataNotInitialized XMinioIAMNotInitialized XMinioServerNotInitialized"
    ),
}
KIND_OF = {code: kind for kind, codes in CODES.items() for code in codes.split()}


def refusal(
    endpoint: str, action: str, code: str, message: str = "", status: int = 0, region: str = ""
) -> errors.StoreError:
    """Our error for an error response to a request, which `action` says in words.

    The code is "" if the response has none; the status is 0 if it is unknown, as for one object of
    a removal of many. The request was signed for `region`.
    """
    short = code or f"HTTP {status}"
    message = " ".join(message.split())[:LONGEST_MESSAGE]
    reason = f"{short}: {message}" if message else short
    kind = KIND_OF.get(code)
    if kind is errors.StoreFull or status == 507:
        return errors.StoreFull(endpoint, action, reason)
    if kind is errors.StoreClockDiffers:
        return errors.StoreClockDiffers(endpoint, action, reason)
    if kind is errors.StoreRegionDiffers:
        return errors.StoreRegionDiffers(endpoint, action, region, reason)
    if kind is errors.StoreRefused or status in {401, 403}:
        return errors.StoreRefused(endpoint, action, short)
    if kind is errors.StoreBusy or status in {408, 429} or status >= 500:
        return errors.StoreBusy(endpoint, action, reason)
    return errors.StoreAnsweredOtherwise(endpoint, action, reason)
