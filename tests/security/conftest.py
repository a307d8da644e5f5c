"""Users of the store that may do no more than the policies of docs/ say."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from minio import MinioAdmin
from minio.credentials import StaticProvider

from sandbox.store import embedded_store

DOCS = Path(__file__).resolve().parents[2] / "docs"
POLICIES = {name: DOCS / f"{name}.json" for name in ("store-policy", "store-policy-read")}
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
    return {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": access, "secretKey": secret}],
                "policyNames": [name],
            }
            for name, (access, secret) in keys.items()
        ],
        "policies": [
            {"name": name, "content": file.read_text()} for name, file in POLICIES.items()
        ],
    }
