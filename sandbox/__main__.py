"""The command line of the sandbox. The Makefile's targets call it."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path

from data.medallion.errors import MedallionError
from data.medallion.host.command import port, run, say, when_ended
from data.medallion.reader_commands import add as add_readers

from . import default_flow
from .problems import SandboxError, in_words

WEB_PORT = 6789
LOOPBACK = "127.0.0.1"
INTERRUPTED = "Interrupted: what was published before is whole. Run again when you like."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is not 0 if it failed."""
    return run(partial(_do, arguments), INTERRUPTED)


def _do(arguments: list[str] | None) -> int:
    chosen = _parser().parse_args(arguments)
    try:
        with ExitStack() as stack:
            with _importing():
                from .lakes import lake_to_read
            if chosen.starts:
                chosen.ready = stack.enter_context(lake_to_read(chosen.lake))
            with _importing():  # while the store starts
                module = import_module(f"{__package__}.{chosen.module}")
            return int(getattr(module, chosen.function)(chosen))
    except BrokenPipeError:
        raise
    except (SandboxError, MedallionError) as error:
        from data.medallion.settings import known_secrets

        say(known_secrets().text(str(error)))
    except OSError as error:
        say(in_words(error))
    return 1


@contextmanager
def _importing() -> Iterator[None]:
    """During imports, a signal ends the process at once: half-loaded C modules cannot unwind."""

    def end(number: int) -> None:
        say(INTERRUPTED)
        os._exit(128 + number)

    before = when_ended(end)
    gc.disable()  # it would take a fifth of the time, and there is no garbage
    yield
    gc.freeze()
    gc.enable()
    for number, handler in before.items():
        signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(function=name, module="commands", starts=False)
        return added

    def reading(name: str, summary: str, starts: bool = True) -> argparse.ArgumentParser:
        added = command(name, summary)
        added.set_defaults(module="reading", starts=starts)
        return added

    def with_lake(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--lake", default="", help="which folder of .sandbox holds the data")
        return added

    def with_api(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--dataset", type=Path, help="a JSON array of records to serve")
        added.add_argument("--count", type=int, default=11_800, help="records to generate")
        added.add_argument("--seed", type=int, default=2026, help="the seed of the generator")
        added.add_argument("--latency-seconds", type=float, help="wait before each response")
        added.add_argument("--error-rate", type=float, help="share of responses that are 5xx")
        added.add_argument("--reset-rate", type=float, help="share of connections that are reset")
        added.add_argument("--cut-rate", type=float, help="share of bodies that are cut")
        added.add_argument("--drip-seconds", type=float, help="how long each list body takes")
        added.add_argument("--rate-limit", type=int, help="requests a minute, 0 for none")
        added.add_argument(
            "--cache-seconds", type=float, help="how long a shared cache stores a response"
        )
        added.add_argument("--change-after", type=int, help="pages after which the data change")
        return added

    def with_flow(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        flow = default_flow()
        added.add_argument("--flow", default=flow, help=f"the flow; by default {flow}")
        return added

    with_flow(with_api(command("demo", "the real pipeline on the embedded store and a local API")))
    running = with_flow(with_lake(command("run", "the pipeline on the settings' API and store")))
    running.add_argument("--snapshot", default="", help="the snapshot to publish again")
    with_flow(with_lake(reading("report", "make the page of a lake, as a local file")))
    with_flow(reading("show", "show the page of a flow in the browser", starts=False))
    with_flow(with_lake(reading("store", "serve only the embedded store", starts=False)))
    serving = with_flow(with_api(command("api", "serve only a local API, until interrupted")))
    serving.add_argument("--port", type=port, default=8000)
    serving.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    for reader in add_readers(commands, default_flow()):
        with_lake(reader).set_defaults(module="reading", function="read", starts=True)
    # The demo's lake is fed as make demo does it.
    page = with_flow(with_api(with_lake(command("web", "Mage's page, and what it needs"))))
    page.add_argument("--port", type=port, default=WEB_PORT)
    page.add_argument("--env", default="", help="prod starts the schedule by itself, as the stack")
    writing = command("dataset", "write the files of a new flow, to edit")
    writing.add_argument("--name", required=True, help="the flow's name, such as stations")
    for what in ("paging", "records", "total"):
        writing.add_argument(f"--{what}", default="", help="of the API, as in its declaration")
    return parser


if __name__ == "__main__":
    sys.exit(main())
