"""How often a request to the store is sent again, and how long we wait before."""

from __future__ import annotations

import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

TRIES = 5  # after the first, where no answer comes
BUSY_TRIES = 8  # after the first, where the store answers that it is busy
BACKOFF_SECONDS = 0.2  # doubling from the second try on
LONGEST_BACKOFF_SECONDS = 3.2
_BUSY_STATUS = (408, 429, 500, 502, 503, 504)


def tries(unanswered: int, busy: int) -> urllib3.Retry:
    """How often a request to a store is sent again, and how long is waited before.

    A store's `Retry-After` is not obeyed: MinIO sends one of a minute with each 503, which is
    longer than a lease.

    Args:
        unanswered: times, where no answer comes.
        busy: times, where the answer is that it cannot serve now; the last such answer is given.
    """
    return urllib3.Retry(
        total=None,
        connect=unanswered,
        read=unanswered,
        other=unanswered,
        redirect=0,
        status=busy,
        status_forcelist=_BUSY_STATUS,
        allowed_methods=None,  # POST too: it removes objects, and removing twice does no harm
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=False,
        backoff_factor=BACKOFF_SECONDS,
        backoff_max=LONGEST_BACKOFF_SECONDS,
        backoff_jitter=BACKOFF_SECONDS,
    )


def tries_of_a_cut_body() -> Retrying:
    """For an answer whose body is cut in the middle."""
    cut = retry_if_exception_type(urllib3.exceptions.ProtocolError)
    return Retrying(stop=stop_after_attempt(TRIES), retry=cut, reraise=True)
