"""The errors of the API."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from ..errors import MedallionError


class ApiError(MedallionError):
    """Base of the errors of the API."""

    url: str
    """The requested address with its query, for a person to open."""


class RetriableApiError(ApiError):
    """One request failed, and a retry may succeed."""


class ApiUnreachable(RetriableApiError):
    reason: str
    says = "{url} cannot be reached: {reason}."


class ApiBusy(RetriableApiError):
    """The response has the status 408, 425, 429 or 5xx."""

    status: int
    retry_after: float | None
    """The seconds that the server asks us to wait, if any."""

    def __str__(self) -> str:
        """The message, with the wait that the server asks for."""
        wait = f" and asks us to wait {self.retry_after:g} s" if self.retry_after else ""
        return f"{self.url} answered HTTP {self.status}{wait}."


class ApiBodyMalformed(RetriableApiError):
    """The body is cut, not JSON, or not of the expected form."""

    problem: str
    says = "{url} answered {problem}."


class FatalApiError(ApiError):
    """The crawl cannot be finished, and a retry would not help."""


class ApiRefused(FatalApiError):
    status: int
    answer: str
    settings: str
    """The names of the settings that may be wrong."""
    says = "{url} refused the request with HTTP {status} ({answer}); check {settings}."


class ApiTokenRefused(FatalApiError):
    status: int
    answer: str
    setting: str
    problem: str

    def __str__(self) -> str:
        """The message, which names one setting or several."""
        is_not, them = ("are not", "them") if " and " in self.setting else ("is not", "it")
        return (
            f"{self.url} refused the request with HTTP {self.status} ({self.answer}), and "
            f"{self.setting} {is_not} {self.problem}; set {them} to what this API accepts."
        )


class ApiLoginFailed(FatalApiError):
    problem: str
    setting: str
    says = "The login to {url} failed ({problem}); check {setting}."


class CrossHostLink(FatalApiError):
    next: str
    setting: str
    says = (
        "{url} leads on to {next}, which is another host; no token is sent there, and nothing was "
        "published. If that is the API's right address, set {setting} to it."
    )


class ApiLooped(FatalApiError):
    problem: str
    says = (
        "{url} leads round in a circle: {problem}. Nothing was published; check in api.py how "
        "its pages are requested."
    )


class ApiGaveUp(FatalApiError):
    attempts: int
    last: str
    """The last error."""
    limit: str
    setting: str
    """The name of the setting with the API's address."""
    says = (
        "Gave up after {attempts} tries ({limit}): {last} Nothing was published; "
        "open that address to see what the service answers, check {setting}, run again."
    )


class ApiEmpty(FatalApiError):
    unit: str
    setting: str
    says = "{url} says it has no {unit}; nothing was published. Check {setting}."


UNSETTLED = "run again when its data have settled"
CONSTANT = (
    "each crawl met the same records, so running again will not help: the API may give no more "
    "than these, or count a record twice (first key that is there twice: {repeated})"
)
"""The remedies for a crawl that is incomplete, as its numbers change or not."""


class CrawlIncomplete(FatalApiError):
    """The fetched records do not add up to the API's totals."""

    crawls: int
    differences: dict[str, dict[str, int]]
    remedy: str

    def __str__(self) -> str:
        """The message, with the first differences."""
        shown = "; ".join(
            f"{name}: {counts['fetched']} fetched, {counts['reported']} reported"
            for name, counts in list(self.differences.items())[:5]
        )
        return (
            f"{self.crawls} crawls of {self.url} could not be proved complete ({shown}). Nothing "
            f"was published; {self.remedy}."
        )
