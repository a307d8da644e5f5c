"""How a request says who asks: by declaration, or by any `requests.auth.AuthBase`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from inspect import isfunction
from typing import ClassVar, Literal

from requests import PreparedRequest, RequestException
from requests.auth import AuthBase

from ..errors import MedallionError
from ..host import network
from ..own_code import OwnCode
from ..settings import FlowSettings
from .errors import ApiLoginFailed

Auth = Callable[[FlowSettings], AuthBase | None]
"""Makes what signs the requests, from the flow's settings; None if nothing does. It is called again
if the API answers 401 in mid-crawl. Its `settings`, if it has any, names those that it reads."""


@dataclass(frozen=True)
class Token:
    """The token of `<FLOW>_API_TOKEN`, if it is set."""

    name: str = "Authorization"
    """The header, or the parameter of the query."""
    place: Literal["header", "query"] = "header"
    scheme: str = ""
    """What stands before it: `Bearer`."""

    settings: ClassVar[tuple[str, ...]] = ("API_TOKEN",)

    def __call__(self, settings: FlowSettings) -> AuthBase | None:
        """As `Auth` says."""
        token = settings.api_token.get_secret_value()
        return _Signature(self, f"{self.scheme} {token}".strip()) if token else None


BEARER = Token(scheme="Bearer")


@dataclass(frozen=True)
class _Signature(AuthBase):
    declared: Token
    value: str = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        if self.declared.place == "query":
            request.prepare_url(request.url or "", {self.declared.name: self.value})
        else:
            request.headers[self.declared.name] = self.value
        return request


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth 2.0 for programs (RFC 6749, section 4.4), by authlib, which renews tokens in time."""

    token_url: str
    """The address that gives tokens; `<FLOW>_API_TOKEN_URL` overrides it."""
    scope: str = ""

    settings: ClassVar[tuple[str, ...]] = ("API_CLIENT_ID", "API_CLIENT_SECRET")

    def __call__(self, settings: FlowSettings) -> AuthBase:
        """As `Auth` says."""
        from authlib.integrations.requests_client import OAuth2Session

        program, secret = map(settings.own, self.settings)
        session = OAuth2Session(
            program,
            secret,
            scope=self.scope or None,
            token_endpoint=settings.own("API_TOKEN_URL", self.token_url),
            grant_type="client_credentials",
            leeway=5,  # seconds; by default 60, which is all that some tokens live
        )
        network.session(authority=settings.ca_file, made=session)
        session.fetch_token()
        signature: AuthBase = session.token_auth
        return signature


class Login(AuthBase):
    """Signs requests with what an `Auth` makes, and makes it anew if the API refuses it."""

    def __init__(self, make: Auth, settings: FlowSettings) -> None:
        read = getattr(make, "settings", Token.settings)
        self.settings = " and ".join(map(settings.name_of, read))
        """The names of the settings that may be wrong."""
        self.number = 0
        """How often a signature was made."""
        self.signs: AuthBase | None = None
        self._make = partial(make, settings)
        self._url = settings.api_url
        self._lock = threading.Lock()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """As AuthBase says; ApiLoginFailed if there is no signature."""
        self.renew(0)
        with self._told():
            return self.signs(request) if self.signs else request

    def renew(self, number: int) -> bool:
        """Make another signature than that of `number`; False if there is no other one."""
        with self._lock, self._told():
            if self.number == number:
                made = self._make()
                if number and made == self.signs:
                    return False
                self.signs, self.number = made, number + 1
            return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (MedallionError, RequestException):
            raise
        except Exception as error:
            if isfunction(self._make.func):
                with OwnCode(self._make, "the login"):
                    raise
            problem = f"{type(error).__name__}: {error}"
            raise ApiLoginFailed(self._url, problem, self.settings) from error
