"""Users of the store that may do no more than the policies of docs/ say."""

import json
import os
import secrets
from collections.abc import Iterator

import pytest
import urllib3
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider

from sandbox import ROOT
from sandbox.store import embedded_store

POLICIES = {name: ROOT / f"docs/{name}.json" for name in ("store-policy", "store-policy-read")}
Keys = tuple[str, str]


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """For each policy, the settings by which its user reaches a store; those of its root too.

    The store is that of MINIO_ENDPOINT if it is MinIO, or another embedded one.
    """
    keys = {name: (f"user{secrets.token_hex(4)}", secrets.token_urlsafe(24)) for name in POLICIES}
    if "MINIO_ENDPOINT" in os.environ:
        root = {k: v for k, v in os.environ.items() if k.startswith("MINIO_")}
        add_to_minio(keys, root)
        yield with_keys(keys, root)
        return
    folder = tmp_path_factory.mktemp("users")
    file = folder / "identities.json"
    file.write_text(json.dumps(identities(keys)))
    with embedded_store(folder, f"-s3.config={file}") as root:
        yield with_keys(keys, root)


def with_keys(keys: dict[str, Keys], root: dict[str, str]) -> dict[str, dict[str, str]]:
    own = {
        name: {**root, "MINIO_ACCESS_KEY": access, "MINIO_SECRET_KEY": secret}
        for name, (access, secret) in keys.items()
    }
    return {**own, "root": root}


def client(settings: dict[str, str]) -> Minio:
    """The store of some settings, as others than our code ask it."""
    keys = settings["MINIO_ACCESS_KEY"], settings["MINIO_SECRET_KEY"]
    secure = settings.get("MINIO_SECURE") == "true"
    return Minio(settings["MINIO_ENDPOINT"], *keys, secure=secure)


def add_to_minio(keys: dict[str, Keys], root: dict[str, str]) -> None:
    admin = MinioAdmin(
        endpoint=root["MINIO_ENDPOINT"],
        credentials=StaticProvider(root["MINIO_ACCESS_KEY"], root["MINIO_SECRET_KEY"]),
        secure=root.get("MINIO_SECURE") == "true",
        http_client=urllib3.PoolManager(),
    )
    for name, (access, secret) in keys.items():
        admin.policy_add(name, str(POLICIES[name]))
        admin.user_add(access, secret)
        admin.policy_set(name, user=access)


def identities(keys: dict[str, Keys]) -> dict[str, object]:
    """As `weed -s3.config` reads them."""
    pairs = {n: [{"accessKey": key, "secretKey": secret}] for n, (key, secret) in keys.items()}
    users = [{"name": n, "credentials": pair, "policyNames": [n]} for n, pair in pairs.items()]
    policies = [{"name": name, "content": file.read_text()} for name, file in POLICIES.items()]
    return {"identities": users, "policies": policies}
