"""Retries of requests to the store: how many, and the wait before each."""

from __future__ import annotations

import urllib3
from tenacity import Retrying, retry_base, stop_after_attempt, wait_random_exponential

RETRIES = 5  # retries if no response comes
BUSY_RETRIES = 8  # retries if the store responds that it is busy
BACKOFF_SECONDS = 0.2  # times 2 ** (n - 1) before retry n; there is no wait before the first
LONGEST_BACKOFF_SECONDS = 3.2
_BUSY_STATUS = (408, 429, 500, 502, 503, 504)


def retries(unanswered: int, busy: int) -> urllib3.Retry:
    """The retries of a request to the store; every request of ours may come twice.

    They ignore the store's `Retry-After`: MinIO sends one minute with each 503, which is longer
    than a lease. `unanswered` counts those without a response; `busy` those after the response that
    the store is busy, the last of which is returned.
    """
    return urllib3.Retry(
        total=None,
        connect=unanswered,
        read=unanswered,
        other=unanswered,
        redirect=0,
        status=busy,
        status_forcelist=_BUSY_STATUS,
        allowed_methods=None,
        raise_on_status=False,
        raise_on_redirect=False,
        respect_retry_after_header=False,
        backoff_factor=BACKOFF_SECONDS,
        backoff_max=LONGEST_BACKOFF_SECONDS,
        backoff_jitter=BACKOFF_SECONDS,
    )


def retries_if(passes: retry_base, waits: bool) -> Retrying:
    """The retries after an error that passes, at once or after longer and longer waits."""
    wait = wait_random_exponential(BACKOFF_SECONDS * waits, LONGEST_BACKOFF_SECONDS)
    return Retrying(stop=stop_after_attempt(RETRIES), retry=passes, wait=wait, reraise=True)
