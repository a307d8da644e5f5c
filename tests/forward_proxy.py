"""A forward proxy on loopback, which answers each request itself and remembers it.

It redirects `.../moved?ADDRESS` to that address.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.answers import Answer, Request, serving

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@contextmanager
def forward_proxy() -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables that name it, and the addresses that it was asked for so far."""
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.target)
        _, moved, target = request.target.partition("/moved?")
        return Answer('{"total": 7}', 302 if moved else 200, {"Location": target})

    with serving(answer, "") as server:
        yield dict.fromkeys(NAMES, server.url), asked
