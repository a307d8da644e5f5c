"""Write the dashboards: `python -m monitoring.grafana`."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from data.medallion.host.command import run

from .layer_page import layer
from .overview_page import overview
from .store_page import store

FOLDER = Path(__file__).resolve().parent / "dashboards"


def files() -> dict[str, str]:
    """Name and content of each dashboard's file."""
    encoder = JSONEncoder(sort_keys=True, indent=1)
    made = {"overview": overview(), "layer": layer(), "store": store()}
    return {f"{name}.json": encoder.encode(board) + "\n" for name, board in made.items()}


def main() -> int:
    """Write each, and remove what is no longer made."""
    made = files()
    for old in FOLDER.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (FOLDER / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
