"""What goes wrong between us and an API."""

from __future__ import annotations

from ..errors import MedallionError


class ApiError(MedallionError):
    """Base of what goes wrong between us and the API."""

    url: str
    """The address that was asked, with its query, so that a person can open it."""


class RetriableApiError(ApiError):
    """One request failed in a way that another try may mend."""


class ApiUnreachable(RetriableApiError):
    """No answer came: refused, timed out or cut off."""

    reason: str
    says = "{url} cannot be reached: {reason}."


class ApiBusy(RetriableApiError):
    """The server answered 408, 425, 429 or 5xx."""

    status: int
    retry_after: float | None
    """Seconds it asked us to wait, if it did."""

    def __str__(self) -> str:
        """The sentence, with the wait that was asked for."""
        wait = f" and asks us to wait {self.retry_after:g} s" if self.retry_after else ""
        return f"{self.url} answered HTTP {self.status}{wait}."


class ApiBodyMalformed(RetriableApiError):
    """The body is cut, not JSON, or not of the shape asked for."""

    problem: str
    says = "{url} answered {problem}."


class FatalApiError(ApiError):
    """The crawl cannot be finished, and another try would not help."""


class ApiRefused(FatalApiError):
    """The server understood the request and refused it (a redirect or a 4xx)."""

    status: int
    answer: str
    settings: str
    """The names of the settings that may be wrong."""
    says = "{url} refused the request with HTTP {status} ({answer}); check {settings}."


class ApiTokenRefused(FatalApiError):
    """The server wants a login (401), or does not let this one in (403)."""

    status: int
    answer: str
    setting: str
    problem: str
    says = (
        "{url} refused the request with HTTP {status} ({answer}), and {setting} {problem}; set it "
        "to a token that this API accepts."
    )


class ApiLeadsAway(FatalApiError):
    """A page names a next one on another host."""

    next: str
    setting: str
    says = (
        "{url} leads on to {next}, which is another host; no token is sent there, and nothing was "
        "published. If that is the API's right address, set {setting} to it."
    )


class ApiLooped(FatalApiError):
    """The API leads from page to page without end."""

    problem: str
    says = (
        "{url} leads round in a circle: {problem}. Nothing was published; see in api.py how its "
        "pages are asked for."
    )


class ApiGaveUp(FatalApiError):
    """Every try of one request failed, or the crawl's time was over."""

    attempts: int
    last: str
    """The last failure."""
    limit: str
    setting: str
    """The name of the setting that holds its address."""
    says = (
        "Gave up after {attempts} tries ({limit}): {last} Nothing was published; "
        "open that address to see what the service answers, check {setting}, run again."
    )


class ApiEmpty(FatalApiError):
    """The API says it has no record at all, which no version of its data ever had."""

    unit: str
    setting: str
    says = "{url} says it has no {unit}; nothing was published. Check {setting}."


class CrawlIncomplete(FatalApiError):
    """The records fetched do not add up to what the API says it has."""

    crawls: int
    differences: dict[str, dict[str, int]]

    def __str__(self) -> str:
        """The sentence, with the first differences in it."""
        shown = "; ".join(
            f"{name}: {counts['fetched']} fetched, {counts['told']} told"
            for name, counts in list(self.differences.items())[:5]
        )
        return (
            f"{self.crawls} crawls of {self.url} could not be proved complete ({shown}). Nothing "
            "was published; run again when its data have settled."
        )
