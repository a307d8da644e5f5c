"""The exporter: `python -m monitoring`, with the store's settings of the pipeline."""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import suppress
from functools import partial

from data.medallion.errors import SettingError
from data.medallion.host.command import Interrupted, port, run

from .lakeview import NOTHING, connect, look
from .server import Exporter
from .watch import Watch

HOST = "127.0.0.1"
PORT = 9817


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; the exit status is 1 where that cannot be done."""
    chosen = _parser().parse_args(arguments)
    try:
        lake = connect()
    except SettingError as error:
        print(error, file=sys.stderr)
        return 1
    # Whoever asks before the first look would hear that no layer has failed.
    watch = Watch(partial(look, lake), look(lake, NOTHING))
    try:
        exporter = Exporter((chosen.host, chosen.port), watch)
    except OSError as error:
        where = f"{chosen.host}:{chosen.port}"
        print(f"Cannot listen on {where} ({error.strerror}): choose --port.", file=sys.stderr)
        return 1
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    print(f"The lake on {lake.endpoint} is seen at {exporter.url}/metrics", flush=True)
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
