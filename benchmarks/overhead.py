"""What the pipeline adds to an empty one: `mage run` of both by turns, store and API on loopback.

Prints seconds (medians and their difference), and what a second run without change writes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data.medallion.host.envfile import PROJECT
from data.medallion.lake.datasets import LAYERS
from data.medallion.lake.lake import Lake
from data.medallion.lake.store import ObjectInfo
from data.medallion.settings import LakeSettings
from sandbox.breweries.api import LocalBreweryApi
from sandbox.breweries.generator import generate
from sandbox.faults import Faults
from sandbox.lakes import variables

from . import results
from .workload import store_of

ALLOWED_SECONDS = 2.5
EMPTY_BLOCKS = {"data_loaders": "data_loader", "transformers": "transformer"}


def main() -> int:
    """Measure and print; the exit status says whether the bound holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=11_822, help="breweries")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each pipeline")
    chosen = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="breweries-bench-") as name:
        folder = Path(name)
        empty = empty_project(folder / "empty")
        api = LocalBreweryApi(generate(chosen.count), faults=Faults(rate_limit=0))
        with store_of(folder / "store"), api:
            own = {
                "BREWERIES_API_URL": api.url,
                "BREWERIES_API_REQUESTS_PER_MINUTE": "0",
                "LAKE_VISUALIZATIONS": str(folder / "visualizations"),
                "MAGE_DATA_DIR": str(folder / "mage"),
            }
            with variables(own):
                lake = Lake.connect(LakeSettings.load())
                first = seconds(PROJECT, "breweries")
                before = data_objects(lake)
                seconds(PROJECT, "breweries")
                after = data_objects(lake)
                changed = [key for key, found in after.items() if before.get(key) != found]
                # Emptied before each round, so that every round writes all objects. The proof of
                # conditional writes stays, because only a day's first run makes it.
                full, nothing = [], []
                for _ in range(chosen.rounds):
                    nothing.append(seconds(empty, "empty"))
                    for layer in LAYERS:
                        for prefix in ("data/", "objects/"):
                            lake.store.remove(layer, list(lake.store.listed(layer, prefix)))
                    full.append(seconds(PROJECT, "breweries"))

    results.keep(
        "overhead",
        [
            results.Result("empty", 0, tuple(nothing), ()),
            results.Result("breweries", chosen.count, tuple(full), ()),
        ],
    )
    added = statistics.median(full) - statistics.median(nothing)
    print(f"\n{chosen.count:,} breweries, {len(before)} objects, medians of {chosen.rounds} runs")
    print(f"  empty four-block pipeline  {statistics.median(nothing):6.2f} s")
    print(f"  breweries, empty lake      {statistics.median(full):6.2f} s   (first {first:.2f} s)")
    print(
        f"  ratio                      {statistics.median(full) / statistics.median(nothing):6.2f}"
    )
    print(f"  added                      {added:6.2f} s   (at most {ALLOWED_SECONDS} s)")
    print(f"  a second run without change wrote {len(changed)} data objects")
    return int(added > ALLOWED_SECONDS or bool(changed))


def empty_project(folder: Path) -> Path:
    """A Mage project whose four blocks do nothing."""
    blocks = ["one", "two", "three", "four"]
    pipeline = folder / "pipelines" / "empty"
    for made in (pipeline, *(folder / name for name in EMPTY_BLOCKS)):
        made.mkdir(parents=True)
    (folder / "metadata.yaml").write_text("project_uuid: empty\nhelp_improve_mage: false\n")
    described = []
    for place, name in enumerate(blocks):
        kind = "data_loader" if place == 0 else "transformer"
        (folder / f"{kind}s" / f"{name}.py").write_text(
            f"@{kind}\ndef {name}(*args, **kwargs):\n    return {{}}\n"
        )
        described.append(
            {
                "uuid": name,
                "name": name,
                "type": kind,
                "language": "python",
                "upstream_blocks": blocks[max(0, place - 1) : place],
                "downstream_blocks": blocks[place + 1 : place + 2],
            }
        )
    document = {
        "uuid": "empty",
        "name": "empty",
        "type": "python",
        "run_pipeline_in_one_process": True,
        "blocks": described,
    }
    (pipeline / "metadata.yaml").write_text(json.dumps(document))  # JSON is YAML
    return folder


def seconds(project: Path, pipeline: str) -> float:
    """How long `mage run` takes, or the end of everything where it fails."""
    command = [str(Path(sys.executable).with_name("mage")), "run", str(project), pipeline]
    start = time.perf_counter()
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - start


def data_objects(lake: Lake) -> dict[str, ObjectInfo]:
    """Every object of data, without the logs and the manifests."""
    return {
        f"{layer}/{key}": found
        for layer in LAYERS
        for key, found in lake.store.listed(layer, "data/").items()
        if not (key.endswith("_manifest.json") or "/_versions/" in key)
    }


if __name__ == "__main__":
    sys.exit(main())
