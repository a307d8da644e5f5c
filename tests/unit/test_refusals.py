"""What a store answers, and what a person is told to do."""

import pytest

from data.medallion.lake import errors
from data.medallion.lake.refusals import refusal

CASES = [
    ("XMinioStorageFull", 507, errors.StoreFull, "free some space"),
    ("QuotaExceeded", 403, errors.StoreFull, "quota"),
    ("", 507, errors.StoreFull, "HTTP 507"),
    ("RequestTimeTooSkewed", 403, errors.StoreClockDiffers, "set the clock"),
    ("AuthorizationHeaderMalformed", 400, errors.StoreRegionDiffers, "set MINIO_REGION"),
    ("InvalidRegion", 400, errors.StoreRegionDiffers, "in the region us-east-1"),
    ("InvalidAccessKeyId", 403, errors.StoreRefused, "check MINIO_ACCESS_KEY"),
    ("AccessDenied", 403, errors.StoreRefused, "the rights they carry"),
    ("", 403, errors.StoreRefused, "HTTP 403"),
    ("ExpiredToken", 400, errors.StoreTokenRefused, "renew MINIO_ACCESS_KEY"),
    ("SlowDown", 503, errors.StoreBusy, "overloaded"),
    ("XMinioServerNotInitialized", 503, errors.StoreBusy, "starting"),
    ("InternalError", 500, errors.StoreBusy, "full disk"),
    ("NeverHeardOf", 502, errors.StoreBusy, "NeverHeardOf"),
    ("MethodNotAllowed", 405, errors.StoreRequestFailed, "use another store"),
    ("KeyTooLongError", 400, errors.StoreRequestFailed, "KeyTooLongError"),
]


@pytest.mark.parametrize(("code", "status", "kind", "says"), CASES)
def test_each_code_has_its_meaning_and_remedy(code, status, kind, says):
    error = refusal("host:9000", "store gold/x", code, "What the\n store said", status, "us-east-1")
    assert type(error) is kind
    assert says in str(error)
    assert "host:9000" in str(error)
    assert "store gold/x" in str(error)
    if not issubclass(kind, errors.StoreRefused):
        assert "MINIO_ACCESS_KEY" not in str(error)
        assert "What the store said" in str(error)


def test_a_long_message_is_cut():
    assert len(str(refusal("h", "store x", "Odd", "<p>page</p>" * 1000, 400))) < 700
