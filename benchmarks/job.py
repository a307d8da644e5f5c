"""One job in a process of its own: `python -m benchmarks.job NAME BRONZE FOLDER`.

Leaves `gold.json` in the folder: sorted (country, state, type, count).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

ALIASES = Path(__file__).parents[1] / "data" / "breweries" / "location_aliases.csv"
OURS = "breweries"
ON_MINIO = "breweries on MinIO"


def main(name: str, bronze: Path, folder: Path) -> None:
    """Do it, and say how long it took without the imports of this file."""
    start = time.perf_counter()
    if name in {OURS, ON_MINIO}:
        counts = ours()
    else:
        rival = importlib.import_module(f"benchmarks.rivals.with_{name}")
        counts = rival.job(bronze, folder, ALIASES)
    seconds = time.perf_counter() - start
    gold = sorted(counts, key=lambda row: [str(value) for value in row])
    (folder / "gold.json").write_text(json.dumps({"seconds": seconds, "gold": gold}))


def ours() -> list[tuple[Any, ...]]:
    """The pipeline's two blocks, without Mage: from bronze in the store to gold in the store."""
    from data.breweries.flow import FLOW
    from data.medallion.lake.lake import Lake
    from data.medallion.lake.runs import new_run
    from data.medallion.layers import gold
    from data.medallion.settings import LakeSettings
    from data.medallion.stages import GOLD, SILVER

    # Only a run's first block lets writers race, once a day; silver is not the first.
    done = SILVER.run(FLOW, {}, upstream={"run": new_run()})
    GOLD.run(FLOW, {}, upstream=done)
    table, _ = gold.read_table(Lake.connect(LakeSettings.load()), FLOW, FLOW.gold[0].name)
    return [tuple(row.values()) for row in table.to_pylist()]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
