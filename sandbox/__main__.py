"""Command line of the sandbox; the Makefile's targets call it."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from . import runner
from .api import LOOPBACK, LocalBreweryApi
from .faults import Faults
from .generator import generate
from .store import StoreFailed, embedded_store, read_settings, write_private

SANDBOX = runner.ROOT / ".sandbox"
DOTENV = runner.ROOT / ".env"
WEB_PORT = 6789


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is not 0 when it failed."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.command(chosen))
    except (StoreFailed, SandboxError) as error:
        print(f"{error}", file=sys.stderr)
        return 1


class SandboxError(RuntimeError):
    """A command of the sandbox cannot be done; the message says what to do."""


def demo(chosen: argparse.Namespace) -> int:
    """The real pipeline on the embedded store and the local API, nothing else needed."""
    api = LocalBreweryApi(_records(chosen), faults=_faults(chosen))
    with (
        embedded_store(SANDBOX / "demo") as store,
        api,
        runner.environment({**store, "BREWERIES_API_URL": api.url}),
    ):
        status = runner.run_pipeline()
    if status == 0:
        print("  lake     make store LAKE=demo serves it again, to read or browse")
    return status


def run(chosen: argparse.Namespace) -> int:
    """The pipeline on the API and the store of the settings; the embedded store if none is set."""
    with _configured_store(chosen.lake):
        return runner.run_pipeline(chosen.snapshot)


def store(chosen: argparse.Namespace) -> int:
    """The embedded store alone, until interrupted."""
    folder = SANDBOX / chosen.lake
    with embedded_store(folder) as environment:
        print(
            f"The object store answers at http://{environment['MINIO_ENDPOINT']}; its address and "
            f"keys are in {folder / 'store.env'} while it runs. Ctrl-C ends it.",
            flush=True,
        )
        runner.wait_for_end()
    return 0


def api(chosen: argparse.Namespace) -> int:
    """The local Open Brewery DB alone, until interrupted."""
    where = {"port": chosen.port, "host": chosen.host}
    server = LocalBreweryApi(_records(chosen), faults=_faults(chosen), **where)
    server.serve_forever(lambda url: print(f"BREWERIES_API_URL={url}  Ctrl-C ends it.", flush=True))
    return 0


def web(chosen: argparse.Namespace) -> int:
    """Mage's page, with a login, on the configured or the embedded store."""
    # Mage would silently take the next port.
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", chosen.port)) == 0:
            raise SandboxError(
                f"Port {chosen.port} is taken; end what listens there, or choose another with "
                "make web WEB_PORT=6790."
            )
    login = _login(SANDBOX / "mage.env")
    print(
        f"\n  Mage's page  http://127.0.0.1:{chosen.port}/pipelines/breweries/edit\n"
        f"  log in as    {login['DEFAULT_OWNER_EMAIL']}\n"
        f"  password     in {SANDBOX / 'mage.env'}\n",
        flush=True,
    )
    settings = {
        **login,
        "REQUIRE_USER_AUTHENTICATION": "1",
        "DISABLE_AUTO_BROWSER_OPEN": "1",
        "DISABLE_TERMINAL": "1",
    }
    with _configured_store(chosen.lake), runner.environment(settings):
        status = runner.mage("start", "data", "--host", "127.0.0.1", "--port", str(chosen.port))
    return 0 if status == 128 + signal.SIGTERM else status  # ended as asked


@contextmanager
def _configured_store(lake: str) -> Iterator[None]:
    """The store that the environment or .env names, else the embedded one."""
    if os.environ.get("MINIO_ENDPOINT") or read_settings(DOTENV).get("MINIO_ENDPOINT"):
        yield
    else:
        with embedded_store(SANDBOX / lake) as environment, runner.environment(environment):
            yield


def _login(file: Path) -> dict[str, str]:
    """Mage's owner and the secret of its sessions: random, made once, for this machine alone."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "DEFAULT_OWNER_EMAIL": "owner@breweries.local",
            "DEFAULT_OWNER_USERNAME": "owner",
            "DEFAULT_OWNER_PASSWORD": secrets.token_urlsafe(12),
            "JWT_SECRET": secrets.token_urlsafe(32),
        }
        write_private(file, values)
    return read_settings(file)


def _records(chosen: argparse.Namespace) -> list[Any]:
    if chosen.dataset is None:
        return list(generate(chosen.count, chosen.seed))
    try:
        records = json.loads(chosen.dataset.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SandboxError(f"--dataset {chosen.dataset} cannot be read: {error}") from None
    if not isinstance(records, list):
        raise SandboxError(f"--dataset {chosen.dataset} holds no JSON array of records.")
    return records


def _faults(chosen: argparse.Namespace) -> Faults:
    given = {f.name: getattr(chosen, f.name, None) for f in fields(Faults)}
    try:
        return Faults(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise SandboxError(f"These faults cannot be: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(function: Any) -> argparse.ArgumentParser:
        added = commands.add_parser(
            function.__name__, help=function.__doc__, description=function.__doc__
        )
        added.set_defaults(command=function)
        return added

    def with_lake(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--lake", default="main", help="which folder of .sandbox holds the data")
        return added

    def with_api(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--dataset", type=Path, help="a JSON array of records to serve")
        added.add_argument("--count", type=int, default=11_800, help="records to generate")
        added.add_argument("--seed", type=int, default=2026, help="of the generator")
        added.add_argument("--latency-seconds", type=float, help="before each answer")
        added.add_argument("--error-rate", type=float, help="share of answers that are 5xx")
        added.add_argument("--reset-rate", type=float, help="share of connections that are reset")
        added.add_argument("--cut-rate", type=float, help="share of bodies that are cut")
        added.add_argument("--drip-seconds", type=float, help="that each list body takes to come")
        added.add_argument("--rate-limit", type=int, help="requests a minute, 0 for none")
        added.add_argument(
            "--cache-seconds", type=float, help="that a shared cache in front keeps an answer"
        )
        added.add_argument("--change-after", type=int, help="pages after which the data change")
        return added

    with_api(command(demo))
    with_lake(command(run)).add_argument("--snapshot", default="", help="a kept answer to replay")
    with_lake(command(store))
    serving = with_api(command(api))
    serving.add_argument("--port", type=int, default=8000)
    serving.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    with_lake(command(web)).add_argument("--port", type=int, default=WEB_PORT)
    return parser


if __name__ == "__main__":
    sys.exit(main())
