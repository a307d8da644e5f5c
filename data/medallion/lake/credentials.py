"""Where the keys for the store come from: a pair in the settings, an AWS profile or an AWS role."""

from __future__ import annotations

import configparser
import os
import re
import threading
from xml.etree.ElementTree import ParseError

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, IamAwsProvider, Provider, StaticProvider

from ..errors import SettingError
from ..host.redaction import Redactor
from ..settings import LakeSettings
from . import errors
from .refusals import reason_of

ROLES = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
}
"""The variables by which a platform says that a program has a role, in minio-py's order, to that by
which another host gives its keys."""
_FAILED = (
    ValueError, KeyError, ParseError, OSError, configparser.Error, urllib3.exceptions.HTTPError
)  # fmt: skip


class Keys(Provider):
    """Keys of one source, renewed when they expire; by any number of threads.

    `source` names it in messages. `expire` is whether the newest keys are those of a session.
    """

    def __init__(self, endpoint: str, source: str, provider: Provider) -> None:
        self.source = source
        self.expire = False
        self._endpoint = endpoint
        self._provider = provider
        self._given: set[str] = set()
        self._lock = threading.Lock()

    def retrieve(self) -> Credentials:
        """The keys for a request; KeysUnavailable if the source gave none."""
        with self._lock:
            try:
                keys = self._provider.retrieve()
            except _FAILED as error:
                # An address holds the token that it shows; a line of a file, a key.
                reason = re.sub(r"\?\S+", "", reason_of(error))
                if isinstance(error, configparser.Error):
                    reason = f"its file is not of AWS's form: {type(error).__name__}"
            else:
                self.expire = bool(keys.session_token)
                self._given |= {keys.access_key, keys.secret_key, keys.session_token or ""}
                return keys
        # Outside the `except`, so that no traceback contains that address.
        raise errors.KeysUnavailable(self._endpoint, "sign a request", reason, self.source)

    def blank(self, text: str) -> str:
        """A text without any keys that this source gave: those of a role are in no setting."""
        return Redactor(self._given).text(text)


def keys_of(settings: LakeSettings, http: urllib3.PoolManager) -> Keys:
    """The keys of the settings; `http` asks for those of a role, but not yet.

    Raises:
        KeysMissing: there are none.
        SettingError: the profile has none.
    """
    for names, pair in settings.key_pairs.items():
        access, secret, token = (value.get_secret_value() for value in pair)
        if access:
            provider = StaticProvider(access, secret, token or None)
            return Keys(settings.endpoint, ", ".join(names), provider)
    role = next((name for name in ROLES if os.environ.get(name)), "")
    if settings.aws_profile or not (role or settings.instance_role):
        return _of_profile(settings.endpoint, settings.aws_profile)
    host = os.environ.get(ROLES.get(role, "AWS_EC2_METADATA_SERVICE_ENDPOINT"), "").rstrip("/")
    of_role = IamAwsProvider(custom_endpoint=host or None, region=settings.region, http_client=http)
    return Keys(settings.endpoint, f"the role of {role or 'MINIO_INSTANCE_ROLE'}", of_role)


def _of_profile(endpoint: str, name: str) -> Keys:
    """The keys of a profile, whose file is read anew for each request; "" is the default one."""
    keys = Keys(endpoint, f"the AWS profile {name or 'default'}", AWSConfigProvider(profile=name))
    try:
        keys.retrieve()
    except errors.KeysUnavailable as error:
        reason = error.reason
    else:
        return keys
    if name:
        raise SettingError("AWS_PROFILE", f"is not usable: {reason}")
    pairs = "MINIO_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"
    raise errors.KeysMissing(", ".join((*pairs, *ROLES, "MINIO_INSTANCE_ROLE")), reason)
