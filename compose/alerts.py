"""Who gets messages of failures, as .env says; invalid settings are refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

MAIL = ("ALERT_EMAIL_FROM", "ALERT_SMTP_HOST", "ALERT_SMTP_PORT")


def unusable(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each setting that is invalid, or contradicts another."""
    for name in ("ALERT_SLACK_URL", "ALERT_WEBHOOK_URL"):
        address = urlsplit(settings.get(name, ""))
        if address.geturl() and not (address.scheme in {"http", "https"} and address.hostname):
            yield f"{name} does not begin with https:// and a name: mend it in .env."
    if settings.get("ALERT_EMAIL_TO"):
        yield from _unusable_mail(settings)


def _unusable_mail(settings: Mapping[str, str]) -> Iterator[str]:
    for name in MAIL:
        if not settings.get(name):
            yield f"ALERT_EMAIL_TO is set, but {name} is not: set both in .env, or neither."
    if ":" in settings.get("ALERT_SMTP_HOST", ""):
        yield "ALERT_SMTP_HOST holds a colon: the port is ALERT_SMTP_PORT's; mend it in .env."
    if not settings.get("ALERT_SMTP_PORT", "0").isdecimal():
        yield "ALERT_SMTP_PORT is no number: mend it in .env."
    if settings.get("ALERT_SMTP_USER") and not settings.get("ALERT_SMTP_PASSWORD"):
        yield "ALERT_SMTP_USER is set, but ALERT_SMTP_PASSWORD is not: set both in .env, or none."
