"""Keys that expire, from a store that gives such: of a role, a profile or a person's session."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from minio.credentials import AssumeRoleProvider, Credentials

from data.breweries.flow import FLOW
from data.medallion.lake.errors import KeysMissing, KeysUnavailable, StoreBusy, StoreTokenRefused
from data.medallion.lake.lake import Lake
from data.medallion.settings import LakeSettings
from monitoring import look
from sandbox.store import embedded_store
from tests.answers import Answer, Request, Server, serving
from tests.engines.conftest import cluster_in
from tests.faults.proxy import Refusal, StoreProxy
from tests.world import World, stored, world_on

ROLE = "arn:aws:iam::role/Lake"
ANY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUSTED = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
LIVES = 12  # seconds of a session; a client renews them 10 seconds before
GIVES_SESSIONS = {
    "sts": {
        "tokenDuration": f"{LIVES}s",
        "maxSessionLength": f"{LIVES}s",
        "issuer": "tests",
        "signingKey": "QUJDREVGR0hJSktMTU5PUFFSU1RVVg==",
    },
    "policy": {"defaultEffect": "Deny"},
    "policies": [{"name": "any", "document": ANY}],
    "roles": [
        {
            "roleName": "Lake",
            "roleArn": ROLE,
            "trustPolicy": {"Version": "2012-10-17", "Statement": [TRUSTED]},
            "attachedPolicies": ["any"],
        }
    ],
}
IDENTITY = "canary-of-the-pod"
WAYS = ("pair", "aws", "profile", "default", "identity", "container", "instance")


@pytest.fixture(scope="module")
def root(tmp_path_factory, request) -> Iterator[dict[str, str]]:
    """The settings of a store that gives sessions: that of MINIO_ENDPOINT, or SeaweedFS."""
    if "MINIO_ENDPOINT" in os.environ:
        request.getfixturevalue("store")  # it refuses a store that is in use, before it is filled
        yield {name: value for name, value in os.environ.items() if name.startswith("MINIO_")}
        return
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "iam.json").write_text(json.dumps(GIVES_SESSIONS))
    with embedded_store(folder, f"-s3.iam.config={folder / 'iam.json'}") as settings:
        yield settings


class Platform:
    """What gives an instance, a container and a pod their keys, as AWS does: real ones, of `root`.

    MinIO's live for 15 minutes at least, so it says itself that they end after `LIVES`.
    """

    def __init__(self, root: dict[str, str]) -> None:
        self._root = root
        self.given: list[Credentials] = []
        self.server: Server

    def session(self) -> Credentials:
        self.given.append(
            AssumeRoleProvider(
                sts_endpoint=f"http://{self._root['MINIO_ENDPOINT']}",
                access_key=self._root["MINIO_ACCESS_KEY"],
                secret_key=self._root["MINIO_SECRET_KEY"],
                role_arn=ROLE,
                role_session_name="tests",
            ).retrieve()
        )
        return self.given[-1]

    def __call__(self, request: Request) -> Answer:
        asked = request.query
        if request.path == "/latest/api/token":
            return Answer("of-the-instance")
        if request.path.startswith("/latest/"):
            if request.headers["X-aws-ec2-metadata-token"] != "of-the-instance":
                return Answer("", 401)
            if request.path.endswith("/"):
                return Answer("Lake")
        elif asked.get("Action") == "AssumeRoleWithWebIdentity":
            if (asked["WebIdentityToken"], asked["RoleArn"]) != (IDENTITY, ROLE):
                return Answer("<Error/>", 403)
        elif request.path != "/container":
            return Answer("", 404)
        keys = self.session()
        told = {
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Expiration": f"{datetime.now(timezone.utc) + timedelta(seconds=LIVES):%FT%TZ}",
        }
        if not asked:
            return Answer(json.dumps({"Code": "Success", "Token": keys.session_token, **told}))
        told["SessionToken"] = keys.session_token
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
        name = "AssumeRoleWithWebIdentity"
        return Answer(
            f'<{name}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{name}Result>'
            f"<Credentials>{inner}</Credentials></{name}Result></{name}Response>"
        )

    def settings(self, way: str, home: Path) -> dict[str, str]:
        """The settings by which a person or a platform says where keys come from."""
        url = self.server.url.rstrip("/")
        if way == "container":
            return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/container"}
        if way == "instance":
            return {"MINIO_INSTANCE_ROLE": "true", "AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
        if way == "identity":
            (home / "identity").write_text(IDENTITY)
            return {
                "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "identity"),
                "AWS_ROLE_ARN": ROLE,
                "AWS_ENDPOINT_URL_STS": url,
            }
        keys = self.session()
        parts = keys.access_key, keys.secret_key, str(keys.session_token)
        names = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
        if way == "pair":
            names = "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SESSION_TOKEN"
        told = dict(zip(names, parts, strict=True))
        if way in ("pair", "aws"):
            return told
        lines = [f"[{way}]", *(f"{name.lower()} = {value}" for name, value in told.items())]
        (home / ".aws").mkdir()
        (home / ".aws" / "credentials").write_text("\n".join(lines))
        return {"AWS_PROFILE": way} if way == "profile" else {}


@pytest.fixture
def world(root, tmp_path, monkeypatch) -> Iterator[World]:
    """A world on that store, in which nobody has keys."""
    with world_on(root, tmp_path, monkeypatch) as world:
        for name in os.environ:
            if name.startswith("AWS_"):
                monkeypatch.delenv(name)
        world.set(HOME=tmp_path, MINIO_ACCESS_KEY="", MINIO_SECRET_KEY="")
        yield world


@pytest.fixture
def platform(root) -> Iterator[Platform]:
    platform = Platform(root)
    with serving(platform, "/") as platform.server:
        yield platform


def connect() -> Lake:
    return Lake.connect(LakeSettings.load(), retry_more=False)


@pytest.mark.parametrize("way", WAYS)
def test_readers_and_the_exporter_take_keys_from_wherever_they_come(world, platform, way):
    world.set(**platform.settings(way, world.folder))
    connect().store.put("gold", "x", b"of a session")
    assert look.connect().store.get("gold", "x") == b"of a session"
    assert platform.given


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_run_and_its_workers_renew_keys_that_expire_within_seconds(
    world, platform, capfd, workers
):
    world.set(**platform.settings("instance", world.folder))
    with ExitStack() as stack:
        if workers:
            cluster = stack.enter_context(cluster_in(world.folder))
            cluster.add_worker()
            world.set(DASK_SCHEDULER_ADDRESS=cluster.address)
        world.run()
    assert world.manifest(FLOW.silver).rows_out == 600
    secrets = {key for given in platform.given for key in (given.secret_key, given.session_token)}
    assert len(secrets) > 4
    told = [str(capfd.readouterr()).encode(), *(one.content for one in stored(world.lake))]
    assert not any(secret.encode() in text for secret in secrets for text in told)


def test_without_any_keys_a_sentence_says_what_was_looked_for_and_nobody_is_asked(world, platform):
    world.set(AWS_EC2_METADATA_SERVICE_ENDPOINT=platform.server.url)
    with pytest.raises(KeysMissing) as caught:
        connect()
    looked_for = (
        "MINIO_ACCESS_KEY, AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE, "
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI, "
        "MINIO_INSTANCE_ROLE"
    )
    file = world.folder / ".aws" / "credentials"
    assert f"{looked_for} are not set" in str(caught.value)
    assert f"profile default in AWS credential file {file};" in str(caught.value)
    assert platform.server.requests == []


def test_a_pair_wins_and_nobody_else_is_asked(world, platform, root):
    for way in ("identity", "container", "instance", "aws"):
        world.set(**platform.settings(way, world.folder))
    world.set(**root)
    assert connect().store.listed("gold", "") == {}
    assert platform.server.requests == []


def test_a_session_that_the_store_does_not_know_any_more_is_told_as_such(world, platform):
    world.set(**{**platform.settings("pair", world.folder), "MINIO_SESSION_TOKEN": "of-yesterday"})
    with pytest.raises(StoreTokenRefused, match="has expired or is not theirs; renew MINIO_ACCESS"):
        connect().store.listed("gold", "")


def test_a_profile_without_keys_is_named_and_no_line_of_its_file_is_shown(world):
    folder = world.folder / ".aws"
    folder.mkdir()
    for text in ("[other]", "[acme]\naws_access_key_id = x", "canary", "[acme]\ncanary",
                 "[acme]\naws_access_key_id = x\naws_secret_access_key = %canary"):  # fmt: skip
        (folder / "credentials").write_text(text)
        world.set(AWS_PROFILE="acme")
        with pytest.raises(Exception, match=r"^AWS_PROFILE is not usable: ") as caught:
            connect()
        assert "canary" not in str(caught.value)


def test_what_a_store_and_a_platform_refuse_is_told_without_a_secret(world, platform, root):
    world.set(**platform.settings("identity", world.folder))
    with StoreProxy(root["MINIO_ENDPOINT"]) as proxy:
        world.set(MINIO_ENDPOINT=proxy.endpoint)
        store = connect().store
        store.listed("gold", "")
        keys = platform.given[-1]
        told = f"{keys.access_key} {keys.secret_key} {keys.session_token}"
        proxy.answer(Refusal(400, "ExpiredToken", told))
        with pytest.raises(StoreTokenRefused, match="role of AWS_WEB_IDENTITY") as refused:
            store.listed("gold", "")
        proxy.answer(Refusal(503, "SlowDown", told))
        with pytest.raises(StoreBusy, match=r"SlowDown: \*\*\* \*\*\* \*\*\*") as busy:
            store.listed("gold", "")
    (world.folder / "identity").write_text("canary-that-is-wrong")
    with pytest.raises(KeysUnavailable, match=r"gave none .* HTTP status code 403") as denied:
        connect().store.listed("gold", "")
    for caught in (refused, busy, denied):
        assert not any(secret in str(caught.value.facts) for secret in (*told.split(), "canary"))
