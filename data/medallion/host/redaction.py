"""Redaction: only this module blanks the secrets in everything that leaves the process."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

SECRET_VARIABLE = re.compile(
    r"(?:MINIO|AWS|LAKE|DEFAULT_OWNER|GRAFANA|ZABBIX|ALERT|[A-Z]\w*_API)_(?:\w+_)?"
    r"(?:KEY(?:_ID)?|PASSWORD|SECRET|TOKEN)|JWT_SECRET|ALERT_(?:SLACK|WEBHOOK)_URL"
)
"""The names of the settings whose value is a secret."""

PROXY_VARIABLE = re.compile(r"(?:ALL|HTTPS?)_PROXY", re.IGNORECASE)
"""The names of variables whose value is a URL that may contain a password."""


class Redactor:
    """Blanks all forms of some secrets; empty ones are ignored."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets for form in forms(secret)}
        # A form may contain another, so the longest is first. Without secrets, nothing matches.
        longest_first = sorted(found, key=lambda form: (-len(form), form))
        self._forms = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def text(self, text: str) -> str:
        """A text without the secrets."""
        return self._forms.sub("***", text)

    def shows(self, text: str) -> bool:
        """Whether a text contains a secret."""
        return bool(self._forms.search(text))

    def value(self, value: Any) -> Any:
        """A value for JSON without the secrets, in keys, texts, and texts of other objects."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        if value is None or isinstance(value, (bool, int, float)):
            return value
        return self.text(str(value))


def secrets_in(environment: Mapping[str, str]) -> Iterator[str]:
    """The secrets of an environment: secret settings, and passwords of proxies."""
    for name, value in environment.items():
        if SECRET_VARIABLE.fullmatch(name):
            yield from (value, value.strip())
        elif PROXY_VARIABLE.fullmatch(name):
            login = urlsplit(value).netloc.rpartition("@")[0]
            password = login.partition(":")[2]
            yield from (password, unquote(password))


def forms(secret: str) -> set[str]:
    """All forms of a secret: plain, escaped, quoted and encoded; none if it is empty."""
    utf8 = secret.encode("utf-8", "surrogatepass")
    escaped = {*_escaped(secret), *_escaped(utf8.decode("latin-1"))}  # the latter as bytes
    escaped_again = {form for once in escaped for form in _escaped(once)}  # an error in an error
    quoted = {quote(utf8), quote(utf8, safe=""), quote_plus(utf8)}
    found = {
        secret,
        html.escape(secret),
        html.escape(secret, quote=False),
        base64.b64encode(utf8).decode().rstrip("="),
        base64.urlsafe_b64encode(utf8).decode().rstrip("="),
        *escaped,
        *escaped_again,
        *quoted,
        *(re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), text) for text in quoted),
    }
    return found - {""}


def _escaped(text: str) -> Iterator[str]:
    """A text as Python and JSON escape it, for both kinds of quotes."""
    for written in (repr, ascii):
        # With both quotes in the text, Python escapes the single ones; the others follow.
        single = written(text + "'\"")[1:-4]
        yield single
        yield single.replace("\\'", "'")
        yield single.replace("\\'", "'").replace('"', '\\"')
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
