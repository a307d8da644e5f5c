"""What is sent to an API and what comes back."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from functools import cached_property
from typing import Any, Literal

import requests

from ..lake.records import Item, parse_whole
from ..table import field_of

LARGEST_TEXT = 512 << 20  # bytes, unpacked
Meaning = Literal["answer", "end", "wait", "refusal"]
"""What a status means: an answer, no more pages, try again later, or no."""


@dataclass(frozen=True)
class Request:
    """A request. Its parameters are in the query; those of a POST are its body, as JSON."""

    url: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    method: Literal["GET", "POST"] = "GET"

    def having(self, **parameters: Any) -> Request:
        """The request with more parameters, or other values of them."""
        return replace(self, parameters={**self.parameters, **parameters})

    def parts(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for `requests`, with more parameters of the query."""
        posted = self.method == "POST"
        return {
            "method": self.method,
            "url": self.url,
            "params": query if posted else {**self.parameters, **query},
            "json": dict(self.parameters) if posted else None,
        }

    def __str__(self) -> str:
        """The address with its query, for a person to open."""
        try:
            return requests.Request(**self.parts({})).prepare().url or self.url
        except requests.RequestException:
            return self.url


@dataclass(frozen=True)
class Response:
    """A response: the bytes of its body, its headers and the requested address."""

    content: bytes
    headers: Mapping[str, str]
    url: str
    status: int = 200
    encoding: str = ""
    """The charset if the response names none; "" for UTF-8."""

    @cached_property
    def text(self) -> str:
        """The body as text: unpacked if it is a gzip file, without a byte order mark.

        ValueError is raised if it is not text of its charset, or not a whole gzip file.
        """
        content = self.content
        if content.startswith(b"\x1f\x8b"):
            try:
                content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST_TEXT + 1)
            except (OSError, EOFError, zlib.error) as error:
                raise ValueError(f"a gzip file that cannot be unpacked: {error}") from None
        if len(content) > LARGEST_TEXT:
            raise ValueError(f"a gzip file of more than {LARGEST_TEXT:,} bytes")
        kind = Message()
        kind["Content-Type"] = self.headers.get("Content-Type", "")
        charset = kind.get_content_charset() or self.encoding or "utf-8"
        try:
            return content.decode(charset).removeprefix("\ufeff")
        except LookupError:
            raise ValueError(f"the unknown charset {charset}") from None

    @cached_property
    def json(self) -> Any:
        """The value of the body; ValueError if it is not one JSON value."""
        return parse_whole(self.text.strip())

    def field(self, path: str) -> Any:
        """As `json`, for a field of it (`meta.count`, `0.count`; "" is all); None if missing."""
        return field_of({"": self.json}, f".{path}") if path else self.json


@dataclass(frozen=True)
class Page:
    """The records of a response, each with its text as received, and what to ask next."""

    records: list[Item]
    following: Request | None = None
    """The request of the next page; None if this is the last one."""
    details: list[Request] = field(default_factory=list)
    """The request of each record, if the page only names them."""
