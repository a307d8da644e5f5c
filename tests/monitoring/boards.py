"""Grafana's dashboards as they are committed, and their expressions as Prometheus is asked them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from monitoring import metrics
from sandbox import ROOT

GRAFANA = ROOT / "monitoring" / "grafana"
BOARDS = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((GRAFANA / "dashboards").glob("*.json"))
}
# What a real MinIO said of itself after a run of the pipeline, and after the next: those metrics
# that the dashboards ask for, by both of its addresses.
SAMPLES = [Path(__file__).with_name(f"minio_metrics_{number}.txt") for number in (1, 2)]
OURS = {name.partition("{")[0] for name in metrics.names()}
METRIC = re.compile(r"\b(?:lake|minio)_\w+|\bALERTS\b")


class Expression(NamedTuple):
    """One that a dashboard asks, and where it stands."""

    place: str
    text: str


def minio_metrics() -> set[str]:
    """Those that a real MinIO was seen to have."""
    text = "".join(file.read_text(encoding="utf-8") for file in SAMPLES)
    return set(re.findall(r"^(minio_\w+)\{", text, re.MULTILINE))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def templates() -> Iterator[Expression]:
    """Every expression, with its variables."""
    for name, board in BOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Expression(f"{name}: {panel['title']} {target['refId']}", target["expr"])
        for annotation in board["annotations"]["list"]:
            yield Expression(f"{name}: {annotation['name']}", annotation["target"]["expr"])


def variables(name: str) -> dict[str, dict[str, Any]]:
    """The variables of a dashboard by name."""
    return {found["name"]: found for found in BOARDS[name]["templating"].get("list", [])}


def expressions(dataset: str) -> Iterator[Expression]:
    """Every expression as Grafana asks it: of a dataset, for each layer."""
    layers = [option["text"] for option in variables("layer")["layer"]["options"]]
    for place, text in dict.fromkeys(templates()):
        asked = text.replace("$__rate_interval", "1m")  # four scrapes
        # All are chosen at first where many may be.
        every = variables(place.partition(":")[0]).get("dataset", {}).get("allValue", "")
        asked = asked.replace("$dataset", every or dataset)
        for layer in layers if "$layer" in asked else [""]:
            yield Expression(f"{place} {layer}".strip(), asked.replace("$layer", layer))
