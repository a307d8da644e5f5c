"""HTTP clients that use the proxies of the environment, except for local hosts.

Requests to this machine and to the stack's own network never use a proxy, which could not reach
them. Other requests follow HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as `requests` does.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from ..errors import SettingError


def is_local(url: str) -> bool:
    """Whether a host is this machine, or one word, such as `minio` in the stack's network."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "." not in host or host.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def trusting(authority: Path | None) -> ssl.SSLContext | None:
    """Makes a client trust a private authority too; OSError (`ssl.SSLError`) if it is no PEM."""
    if not authority:
        return None
    context = create_urllib3_context()
    context.load_verify_locations(authority)
    return context


class _Adapter(HTTPAdapter):
    """Removes the proxies here and not in the session, because redirects pass only here."""

    def __init__(self, connections: int, authority: Path | None) -> None:
        self._context = trusting(authority)  # first, because the pool is made in HTTPAdapter's
        super().__init__(pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, **more, ssl_context=self._context)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        if is_local(request.url or ""):
            more["proxies"] = None
        return super().send(request, *args, **more)


def session(
    connections: int = DEFAULT_POOLSIZE,
    authority: Path | None = None,
    made: requests.Session | None = None,
) -> requests.Session:
    """Prepare a session, by default a new one; SettingError if an authority is no file."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if (path := os.environ.get(name)) and not Path(path).exists():
            raise SettingError(name, f"must be a file or a folder, and {path} is none")
    made = made or requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(connections, authority))
    return made
