"""The commands of the sandbox, but those that read a lake."""

from __future__ import annotations

import argparse
import errno
import os
import secrets
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

from tornado.netutil import bind_sockets

from data.medallion import project
from data.medallion.flow import Flow
from data.medallion.host.command import Interrupted, say
from data.medallion.host.envfile import read_envfile

from . import SANDBOX, default_flow, new_flow, runner
from .lakes import DEMO, MAIN, lake_to_write, variables
from .local import LOOPBACK
from .problems import SandboxError, using
from .stand_ins import stand_in
from .store import embedded_store, write_private

LOGIN = ("DEFAULT_OWNER_EMAIL", "DEFAULT_OWNER_USERNAME", "DEFAULT_OWNER_PASSWORD", "JWT_SECRET")
OWNER = "owner@breweries.local"
"""The lake of generated data; no command feeds it by the real API."""
GENERATED = ", local, with generated data"


def demo(chosen: argparse.Namespace) -> int:
    """Run the real pipeline on the embedded store and a local API; needs nothing else."""
    flow = project.load(chosen.flow)
    with (
        embedded_store(SANDBOX / DEMO) as store,
        stand_in(flow, chosen) as api,
        variables({**store, **api.variables(flow.prefix)}),
    ):
        print(f"{flow.api.title}{GENERATED} -> bronze -> silver -> gold", flush=True)
        status = runner.run_pipeline(flow)
    if status == 0:
        print(_next(DEMO, flow))
    return status


def run(chosen: argparse.Namespace) -> int:
    """Run the pipeline on the API and the store of the settings, or on the embedded store."""
    flow = project.load(chosen.flow)
    with lake_to_write(chosen.lake) as embedded:
        print(f"{flow.api.title} -> bronze -> silver -> gold", flush=True)
        status = runner.run_pipeline(flow, chosen.snapshot)
    if status == 0 and embedded:
        print(_next(chosen.lake or MAIN, flow))
    return status


def _next(lake: str, flow: Flow) -> str:
    """A text about the lake of an embedded store, and the next commands."""
    named = "" if lake == MAIN else f" LAKE={lake}"
    named += "" if flow.name == default_flow() else f" FLOW={flow.name}"
    return (
        f"  lake     {SANDBOX / lake}\n\n"
        f"  next     make sql{named:10}   ask this lake in SQL\n"
        f"           make web{named:10}   Mage's page, on this lake"
    )


def api(chosen: argparse.Namespace) -> int:
    """Serve only the local API of a flow, until interrupted."""
    flow = project.load(chosen.flow)
    with suppress(Interrupted):
        _refuse_unusable(chosen.host, chosen.port, 'make api ARGS="--host 127.0.0.1 --port 8001"')
        stand_in(flow, chosen, chosen.port, chosen.host).serve_forever(
            lambda url: print(f"{flow.prefix}API_URL={url}  Ctrl-C ends it.", flush=True)
        )
    return 0


def dataset(chosen: argparse.Namespace) -> int:
    """Write the files of a new flow, to edit."""
    shape = new_flow.Shape.asked_for(chosen.paging, chosen.records, chosen.total)
    print(new_flow.write(chosen.name, shape))
    return 0


def web(chosen: argparse.Namespace) -> int:
    """Serve Mage's page, with a login, on the configured or the embedded store."""
    flow = project.load(chosen.flow)
    # If the port is taken, Mage would silently use the next one.
    _refuse_unusable(LOOPBACK, chosen.port, "make web WEB_PORT=6790")
    login, log = _login(SANDBOX / "mage.env"), SANDBOX / f"mage-{chosen.port}.log"
    settings = {
        **login,
        "REQUIRE_USER_AUTHENTICATION": "1",
        "DISABLE_AUTO_BROWSER_OPEN": "1",
        "DISABLE_TERMINAL": "1",
        "ENV": chosen.env,  # and not that of a shell, where it names a file
    }
    with suppress(Interrupted), lake_to_write(chosen.lake) as embedded, ExitStack() as stack:
        is_demo = embedded and chosen.lake == DEMO
        for one in project.load_all() if is_demo else ():
            local = stack.enter_context(stand_in(one, chosen))
            stack.enter_context(variables({**local.variables(one.prefix)}))
        stack.enter_context(variables(settings))
        print(
            f"\n  Mage's page  http://{LOOPBACK}:{chosen.port}/pipelines/{flow.name}/edit\n"
            f"  log in as    {login['DEFAULT_OWNER_EMAIL']}, with the password in "
            f"{SANDBOX / 'mage.env'}\n"
            f"  to run       Triggers, Run@once; it asks {flow.api.title}{GENERATED * is_demo}\n"
            f"  its output   {log}\n\n"
            "The page is there in half a minute. Ctrl-C ends it.",
            flush=True,
        )
        address = "--host", LOOPBACK, "--port", str(chosen.port)
        status = runner.mage("start", "data", *address, log=log)
        say(f"Mage ended by itself (exit status {status}): the end of {log} says why.")
        return status or 1
    return 0


def _refuse_unusable(host: str, port: int, other: str) -> None:
    """Refuse an address if the port cannot be opened; `other` is a command with another port."""
    try:
        for bound in bind_sockets(port, host, socket.AF_INET):
            bound.close()
        # Some systems let two programs listen on a port, if one of them listens on all addresses.
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    except OSError as error:
        problem = (
            f"Port {port} is taken: end what listens there, or"
            if error.errno == errno.EADDRINUSE
            else f"Port {port} of {host} cannot be used ({error.strerror}):"
        )
        raise SandboxError(f"{problem} choose another with {other}.") from None


def _login(file: Path) -> dict[str, str]:
    """The login of Mage's owner and the secret of its sessions: random, made once per machine."""
    with using(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        known = file.exists()
    if not known:
        random = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
        write_private(file, dict(zip(LOGIN, (OWNER, "owner", *random), strict=True)))
    login = read_envfile(file)
    if missing := [name for name in LOGIN if not login.get(name)]:
        raise SandboxError(f"{file} lacks {missing[0]}: remove the file, and a new one is made.")
    return login
