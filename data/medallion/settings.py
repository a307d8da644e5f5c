"""The settings of the lake and of a flow: read from the environment, and checked at the start."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from .errors import SettingError
from .host import envfile
from .host.envfile import PROJECT, environment, read_envfile
from .host.network import trusting
from .host.redaction import Redactor, secrets_in
from .rules import RULES, STOPPING

HISTORY_VERSIONS = 30  # snapshots that the history keeps by default

SPACED = "begins or ends with a space"
FORMS = {
    # Headers cannot hold line breaks, and Kubernetes secrets often end in one.
    ("*", r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*"): (
        "contains a line break or another control character"
    ),
    ("access_key", r"(?!\s).*(?<!\s)"): SPACED,
    # It is in a header of each request, where `,` and `=` separate fields.
    ("access_key", r"(?:(?![,=])[ -~])+"): (
        "contains a character that no store accepts: a comma, = or non-ASCII"
    ),
    ("secret_key", r"(?!\s).*(?<!\s)"): SPACED,
    ("session_token", r"[!-~]*"): "contains a space or a non-ASCII character",
    ("region", r"[a-z0-9][a-z0-9_-]{0,62}"): "must be the name of a region, such as us-east-1",
    ("bucket_prefix", r"[a-z0-9][a-z0-9.-]{0,55}"): (
        "must be how a bucket's name begins: small letters, digits, - and ., such as acme-"
    ),
    ("api_token", r"(?! )[ -~]*(?<! )"): f"{SPACED}, or contains a non-ASCII character",
}
"""A field (`*` for all; without `aws_`) and the regular expression that its text must match, to the
problem of one that does not."""


def _variable(name: str, default: Any = ..., **limits: Any) -> Any:
    return Field(default, validation_alias=name, **limits)


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _well_formed(cls, value: Any, info: ValidationInfo) -> Any:
        ours = {"*", (info.field_name or "").removeprefix("aws_")}
        for (field, form), problem in FORMS.items() if isinstance(value, str) else ():
            if field in ours and not re.fullmatch(form, value):
                raise ValueError(problem)
        return value

    @classmethod
    def _read(cls, values: Mapping[str, Any], prefix: str = "") -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
        # Outside the `except`, so that no traceback contains pydantic's copy of the values.
        problem = first["msg"].removeprefix("Value error, ").replace("{prefix}", prefix)
        if not first["loc"]:  # it begins with the name of a setting
            raise SettingError(prefix + problem.split()[0], problem.partition(" ")[2])
        problem = f"is not usable: {problem[0].lower()}{problem[1:]}"
        if first["type"] == "missing":
            problem = "is required and not set"
        raise SettingError(f"{prefix}{first['loc'][0]}", problem)


class Folders(_Model):
    """The local folders. They are known even if other settings are wrong, for the error log."""

    spool: Path = _variable("LAKE_SPOOL", PROJECT / ".spool")
    visualizations: Path = _variable("LAKE_VISUALIZATIONS", PROJECT / "visualizations")

    @classmethod
    def load(cls) -> Self:
        """Read the environment and `.env`; SettingError if a setting is missing or not usable."""
        return cls._read(environment())


class Trust(_Model):
    """Whom store, API and logins are trusted by, beside the public authorities."""

    ca_file: Path | None = _variable("LAKE_CA_FILE", None)

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, value: Path | None) -> Path | None:
        # In a container, data/ is elsewhere.
        file = envfile.DOTENV.parent / value if value else None
        try:
            trusting(file)
        except ssl.SSLError:
            raise ValueError(f"must hold certificates in PEM, and {file} holds none") from None
        except OSError as error:
            raise ValueError(f"must be a file, and {file} is not read: {error.strerror}") from None
        return file


class LakeSettings(Folders, Trust):
    """The settings of the store and of the whole lake. Use `load` to get them."""

    endpoint: str = _variable("MINIO_ENDPOINT")
    access_key: SecretStr = _variable("MINIO_ACCESS_KEY", SecretStr(""))
    secret_key: SecretStr = _variable("MINIO_SECRET_KEY", SecretStr(""))
    session_token: SecretStr = _variable("MINIO_SESSION_TOKEN", SecretStr(""))
    aws_access_key: SecretStr = _variable("AWS_ACCESS_KEY_ID", SecretStr(""))
    aws_secret_key: SecretStr = _variable("AWS_SECRET_ACCESS_KEY", SecretStr(""))
    aws_session_token: SecretStr = _variable("AWS_SESSION_TOKEN", SecretStr(""))
    aws_profile: str = _variable("AWS_PROFILE", "")
    instance_role: bool = _variable("MINIO_INSTANCE_ROLE", False)
    secure: bool = _variable("MINIO_SECURE", False)
    region: str = _variable("MINIO_REGION", "")
    virtual_host_style: bool = _variable("MINIO_VIRTUAL_HOST_STYLE", False)

    bucket_prefix: str = _variable("LAKE_BUCKET_PREFIX", "")
    store_connections: int = _variable("LAKE_STORE_CONNECTIONS", 8, ge=1, le=64)
    store_timeout: float = _variable("LAKE_STORE_TIMEOUT_SECONDS", 60, gt=0)
    lease: float = _variable("LAKE_LEASE_SECONDS", 15, gt=0)
    lease_wait: float = _variable("LAKE_LEASE_WAIT_SECONDS", 1200, ge=0)
    threads: int = _variable("LAKE_THREADS", 0, ge=0, le=256)
    dask_scheduler: str = _variable("DASK_SCHEDULER_ADDRESS", "")
    report_language: Literal["en", "pt-BR"] = _variable("REPORT_LANGUAGE", "en")

    @field_validator("endpoint")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("must be host:port without a scheme (MINIO_SECURE=true means https)")
        parts = urlsplit(f"//{value}")
        if not parts.hostname or parts.path or parts.username is not None:
            raise ValueError("must be host:port, such as 127.0.0.1:9000")
        _ = parts.port  # raises ValueError if it is not a port number
        return value

    @field_validator("dask_scheduler")
    @classmethod
    def _scheduler(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"tcp", "tls"} or not parts.hostname or not parts.port:
            raise ValueError("must be tcp://host:port or tls://host:port")
        return value

    @property
    def key_pairs(self) -> Mapping[tuple[str, str], tuple[SecretStr, SecretStr, SecretStr]]:
        """The variables of each pair of keys, to the pair and its session token."""
        ours = self.access_key, self.secret_key, self.session_token
        of_aws = self.aws_access_key, self.aws_secret_key, self.aws_session_token
        return {
            ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"): ours,
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"): of_aws,
        }

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        for names, (access, secret, token) in self.key_pairs.items():
            if ((secret or token) and not access) or (access and not secret):
                raise ValueError(f"{names[bool(access)]} is required and not set")
            if access:
                break  # what AWS's variables say is nothing to us
        return self

    @property
    def for_leases(self) -> Self:
        """The settings for a client that renews leases: a late response must not lose the lease."""
        timeout = min(self.store_timeout, self.lease / 3)
        return self.model_copy(update={"store_timeout": timeout})


class FlowSettings(_Model):
    """The settings of one flow."""

    prefix: str  # of their names: the flow's name in capitals, and `_`
    others: Mapping[str, SecretStr]  # all variables with the prefix, without it
    ca_file: Path | None = None  # that of LakeSettings

    api_url: str = _variable("API_URL")
    api_token: SecretStr = _variable("API_TOKEN", SecretStr(""))
    api_page_size: int = _variable("API_PAGE_SIZE", ge=1)
    api_connections: int = _variable("API_CONNECTIONS", 4, ge=1, le=32)
    api_requests_per_minute: int = _variable("API_REQUESTS_PER_MINUTE", ge=0)
    api_timeout: float = _variable("API_TIMEOUT_SECONDS", 30, gt=0)
    api_attempts: int = _variable("API_ATTEMPTS", 8, ge=1)
    api_backoff: float = _variable("API_BACKOFF_SECONDS", 0.5, ge=0)
    api_time_limit: float = _variable("API_TIME_LIMIT_SECONDS", 900, gt=0)
    api_crawls: int = _variable("API_CRAWLS", 3, ge=1)

    history_versions: int = _variable("HISTORY_VERSIONS", HISTORY_VERSIONS, ge=0)
    history_days: int = _variable("HISTORY_DAYS", 0, ge=0, le=36_500)
    stop_on: frozenset[str] = _variable("STOP_ON", STOPPING)
    largest_fall: float = _variable("LARGEST_FALL_PERCENT", 10, ge=0, le=100)

    @classmethod
    def load(cls, prefix: str, url: str, page_size: int, rate: int) -> Self:
        """Read the environment and `.env`; the other arguments are defaults of the API.

        `rate` is in requests per minute.

        Raises:
            SettingError: a setting is malformed or contradicts another.
        """
        every = environment()
        found = {k.removeprefix(prefix): v for k, v in every.items() if k.startswith(prefix)}
        defaults = {"API_URL": url, "API_PAGE_SIZE": page_size, "API_REQUESTS_PER_MINUTE": rate}
        own = {"prefix": prefix, "others": found, "ca_file": Trust._read(every).ca_file}
        settings = cls._read({**defaults, **found, **own}, prefix)
        # If only HISTORY_DAYS is set, the default number of versions must not limit the history.
        if settings.history_days and "HISTORY_VERSIONS" not in found:
            settings = settings.model_copy(update={"history_versions": 0})
        if settings.api_page_size > page_size:
            problem = f"is not usable: this API gives at most {page_size}"
            raise SettingError(f"{prefix}API_PAGE_SIZE", problem)
        return settings

    def own(self, setting: str, default: str = "") -> str:
        """The value of a setting that this flow alone has; SettingError if it has none."""
        value = self.others.get(setting, SecretStr(default)).get_secret_value()
        if not value:
            raise SettingError(self.name_of(setting), "is required and not set")
        return value

    def name_of(self, setting: str) -> str:
        """The full name of a setting, for messages."""
        return self.prefix + setting

    @field_validator("api_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https address")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must not contain a user, password, query or fragment")
        if not value.isascii():
            raise ValueError("must contain only ASCII (percent-encode other letters)")
        return value.rstrip("/")

    @field_validator("stop_on", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        """Parse a list with commas; `none` means no rule, because an empty value means not set."""
        if not isinstance(value, str):
            return value
        names = {name.strip() for name in value.split(",")}
        if unknown := names - {"none", *RULES}:
            raise ValueError(f"must be none or some of {', '.join(RULES)}, not {min(unknown)}")
        return names - {"none"}

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if self.api_timeout > self.api_time_limit:
            raise ValueError("API_TIMEOUT_SECONDS is longer than {prefix}API_TIME_LIMIT_SECONDS")
        return self


@dataclass(frozen=True)
class Settings:
    """The settings of a block: those of the lake and those of its flow."""

    lake: LakeSettings
    flow: FlowSettings


def spool_folder() -> Path:
    """The folder where error logs wait for the store. It is known even if settings are wrong."""
    try:
        return Folders.load().spool
    except SettingError:
        return Folders.model_validate({}).spool


def known_secrets() -> Redactor:
    """A redactor of the secrets in `.env` and in the environment, which may hide the former."""
    written = dict[str, str]()
    with suppress(SettingError):
        written = read_envfile(envfile.DOTENV)
    return Redactor([*secrets_in(os.environ), *secrets_in(written)])
