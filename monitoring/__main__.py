"""The exporter: `python -m monitoring`, with the pipeline's settings of the store."""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import suppress
from functools import partial

from data.medallion.errors import FlowError, SettingError
from data.medallion.host.command import Interrupted, port, run
from data.medallion.project import load_all

from .look import LakeLook, connect, look
from .server import Exporter
from .watch import Watch

HOST = "127.0.0.1"
PORT = 9817


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal ends the process; the exit status is 1 if serving is impossible."""
    chosen = _parser().parse_args(arguments)
    try:
        lake, flows = connect(), load_all()
    except (SettingError, FlowError) as error:
        print(error, file=sys.stderr)
        return 1
    if not flows:
        print("There is nothing to watch: no folder of data/ has a flow.py.", file=sys.stderr)
        return 1
    look_at_it = partial(look, lake, flows)
    # Look once before serving; else the first response would say that no layer has failed.
    watch = Watch(look_at_it, look_at_it(LakeLook.none(flows)))
    try:
        exporter = Exporter((chosen.host, chosen.port), watch)
    except OSError as error:
        where = f"{chosen.host}:{chosen.port}"
        print(f"Cannot listen on {where} ({error.strerror}): choose --port.", file=sys.stderr)
        return 1
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    print(f"The lake on {lake.store.endpoint} is seen at {exporter.url}/metrics", flush=True)
    with suppress(Interrupted):
        threading.Event().wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    parser.add_argument("--host", default=HOST, help=f"to listen on; by default {HOST}")
    parser.add_argument("--port", type=port, default=PORT, help=f"by default {PORT}")
    return parser


if __name__ == "__main__":
    sys.exit(run(main))
