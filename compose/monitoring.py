"""Before the monitoring starts: its user of the store, and its secrets as files.

Whatever is not set in .env is left out, so that the profile starts without any messenger.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import urllib3
import yaml
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

from compose.passwords import FILES, weak, write
from data.medallion.host.command import run
from data.medallion.lake.retries import retries

POLICIES = Path("/app/policies")
ALERTS = Path("/app/monitoring/alertmanager/alertmanager.yml")
BUCKET = "arn:aws:s3:::"  # then its name
NOBODY, GRAFANA = 65534, 472  # who Prometheus and Alertmanager, and Grafana, run as in their images
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
TEN_YEARS = 10 * 365 * 86_400
SHORTEST = {
    "MINIO_READER_ACCESS_KEY": 3,  # MinIO refuses less
    "MINIO_READER_SECRET_KEY": 8,  # likewise
    "GRAFANA_PASSWORD": 8,
}


def main() -> int:
    """Print a sentence for each thing that is wrong; the exit status is 1 if there is one."""
    wrong = list(unusable(os.environ))
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    make_reader(os.environ, POLICIES)
    base = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    for name, (owner, content) in files(base, os.environ).items():
        write(FILES / name, owner, content)
    return 0


def unusable(settings: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each setting that is invalid."""
    yield from weak(settings, SHORTEST)
    if settings.get("MINIO_READER_ACCESS_KEY") == settings.get("MINIO_ACCESS_KEY"):
        yield "MINIO_READER_ACCESS_KEY is the store's own key: choose another in .env."


def make_reader(settings: Mapping[str, str], policies: Path) -> None:
    """Give the store the user that may read the layers and the store's metrics, and no more."""
    admin = MinioAdmin(
        endpoint=settings["MINIO_ENDPOINT"],
        credentials=StaticProvider(settings["MINIO_ACCESS_KEY"], settings["MINIO_SECRET_KEY"]),
        region=settings.get("MINIO_REGION", ""),
        secure=False,
        http_client=urllib3.PoolManager(retries=retries(10, 10)),
    )
    found = sorted(policies.glob("*.json"))
    for file in found:
        policy = policy_of(file, settings.get("LAKE_BUCKET_PREFIX", ""))
        admin.policy_add(file.stem, policy=policy)
    reader = settings["MINIO_READER_ACCESS_KEY"]
    admin.user_add(reader, settings["MINIO_READER_SECRET_KEY"])
    admin.policy_set(",".join(file.stem for file in found), user=reader)


def policy_of(file: Path, prefix: str) -> dict[str, Any]:
    """A policy for the layers' buckets, for those whose names begin with a prefix."""
    policy: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    for statement in policy["Statement"]:
        statement["Resource"] = [
            f"{BUCKET}{prefix}{resource.removeprefix(BUCKET)}" for resource in statement["Resource"]
        ]
    return policy


def files(base: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    """Name, owner and content of each secret.

    Args:
        base: Alertmanager's configuration with all that can be set.
        settings: those of .env.
    """
    claims = {
        "iss": "prometheus",
        "sub": settings["MINIO_READER_ACCESS_KEY"],
        "exp": int(time.time()) + TEN_YEARS,
    }
    token = jwt.encode(claims, settings["MINIO_READER_SECRET_KEY"], algorithm="HS512")
    alerts = yaml.safe_dump(alertmanager(base, settings), sort_keys=False, allow_unicode=True)
    return {
        "grafana_password": (GRAFANA, settings["GRAFANA_PASSWORD"]),
        "minio_token": (NOBODY, token),
        "slack_url": (NOBODY, settings.get("ALERT_SLACK_URL", "")),
        "smtp_password": (NOBODY, settings.get("ALERT_SMTP_PASSWORD", "")),
        "alertmanager.yml": (NOBODY, alerts),
    }


def alertmanager(base: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """Alertmanager's configuration, less the ways that are not set; with the proxy, if one is."""
    config = {**base, "receivers": [_receiver(r, settings) for r in base["receivers"]]}
    if any(settings.get(name) for name in PROXIES):
        config["global"] = {**base["global"], "http_config": {"proxy_from_environment": True}}
    return config


def _receiver(receiver: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    config: dict[str, Any] = {"name": receiver["name"]}
    if "slack_configs" in receiver and settings.get("ALERT_SLACK_URL"):
        config["slack_configs"] = receiver["slack_configs"]
    if "email_configs" in receiver and settings.get("ALERT_EMAIL_TO"):
        config["email_configs"] = [_mail(mail, settings) for mail in receiver["email_configs"]]
    if "webhook_configs" in receiver and settings.get("ALERT_WEBHOOK_URL"):
        url = settings["ALERT_WEBHOOK_URL"]
        config["webhook_configs"] = [{**hook, "url": url} for hook in receiver["webhook_configs"]]
    return config


def _mail(mail: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    config = {
        **mail,
        "to": settings["ALERT_EMAIL_TO"],
        "from": settings["ALERT_EMAIL_FROM"],
        "smarthost": f"{settings['ALERT_SMTP_HOST']}:{settings['ALERT_SMTP_PORT']}",
        "auth_username": settings.get("ALERT_SMTP_USER", ""),
        "require_tls": settings.get("ALERT_SMTP_STARTTLS", "true").lower() == "true",
    }
    if not config["auth_username"]:
        del config["auth_username"], config["auth_password_file"]
    return config


if __name__ == "__main__":
    sys.exit(run(main))
