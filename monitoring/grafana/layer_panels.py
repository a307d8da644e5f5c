"""The panels of a layer, on the overview and on its own page.

The pages' variables choose: `$dataset` one dataset or more, `$layer` the layer of its own page.
"""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.builders import stat

from data.medallion.lake.datasets import LAYERS

from .bricks import BAD, DATASET, GOOD, OFF, WARNING, Looks, Query, Steps, Words, now

SUCCESS = "lake_layer_last_success_timestamp_seconds"
HERE = "$layer"
NAME = "{{dataset}}"
"""Of the dataset that a line is about."""
LABELS = f"{DATASET}, layer"
PAGE = (
    "Its page",
    "/d/lake-layer?var-dataset=${__field.labels.dataset}&var-layer=${__field.labels.layer}",
)
ERRORS = ("Its text, at the exporter", "http://127.0.0.1:9817/errors")
STATES: Words = {
    0: ("well", GOOD),
    1: ("failed", BAD),
    2: ("unreadable", WARNING),
    -1: ("never ran", OFF),
}
RUNBOOK = "What to do: docs/monitoring.md,"


def state(layer: str) -> str:
    """One of STATES."""
    return _worst(
        layer,
        "(lake_layer_up{} == 0) + 2",
        "(lake_layer_failed{} == 1)",
        f"({SUCCESS}{{}} == 0) - 1",
        "lake_layer_failed{}",
    )


def complete(layer: str) -> str:
    """1 or 0; -1 where nothing ran yet."""
    return _worst(layer, f"({SUCCESS}{{}} == 0) - 1", "lake_run_complete{}")


def late(layer: str) -> str:
    """The age in intervals of the schedule; -1 where nothing ran yet."""
    return _worst(
        layer,
        f"(time() - ({SUCCESS}{{}} > 0)) / on(dataset) group_left() "
        "(lake_schedule_interval_seconds > 0)",
        f"({SUCCESS}{{}} == 0) - 1",
    )


def _worst(layer: str, *choices: str) -> str:
    """The first of some expressions that has a value."""
    chosen = " or ".join(choices).replace("{}", _chosen(layer))
    return f"max by({LABELS}) ({chosen})"


def _chosen(layer: str) -> str:
    # By a pattern, since the overview chooses many.
    return f'{{{DATASET}=~"${DATASET}",layer="{layer}"}}'


def of(metric: str, layer: str) -> str:
    """A metric of a layer of the chosen datasets."""
    return f"lake_{metric}{_chosen(layer)}"


def success(layer: str) -> str:
    """When it was published or confirmed, in Grafana's milliseconds."""
    return f"{of('layer_last_success_timestamp_seconds', layer)} * 1000"


def error(layer: str) -> str:
    """When its newest error was, likewise."""
    return f"{of('layer_last_error_timestamp_seconds', layer)} * 1000"


def rejected(layer: str) -> str:
    """The share of its rows that could not be used."""
    return f"{of('run_rejected_rows', layer)} / clamp_min({of('run_input_rows', layer)}, 1)"


def each(expression: Callable[[str], str]) -> list[Query]:
    """An expression for each layer, in the order of the data's way; of each chosen dataset."""
    return [Query(expression(layer), f"{NAME} {layer}") for layer in LAYERS]


def here(expression: Callable[[str], str]) -> list[Query]:
    """An expression for the layer of the page."""
    return [Query(expression(HERE), HERE)]


def state_panel(
    queries: list[Query], width: int, link: tuple[str, str] | None = None
) -> stat.Panel:
    """The state of the layer."""
    text = (
        "Failed: its newest error is later than its last success, and the previous version stays "
        f"published. {RUNBOOK} 'Layer failed' and "
        "'Layer unreadable'."
    )
    return now(Looks("State", text, "none", width, words=STATES, link=link), *queries)


def success_panel(queries: list[Query], width: int) -> stat.Panel:
    """The state over time."""
    text = "When it was published or last confirmed, by the store's clock."
    words: Words = {0: ("never", OFF)}
    return now(Looks("Last success", text, "dateTimeFromNow", width, words=words), *queries)


def late_panel(queries: list[Query], width: int) -> stat.Panel:
    """The age of the data."""
    text = (
        "Time since the last success, as a share of the schedule's interval: at 100% the next run "
        f"is due, at 150% the alert StaleData fires. {RUNBOOK} 'Stale data'."
    )
    looks = Looks(
        "Age against the schedule", text, "percentunit", width,
        steps={0: GOOD, 1.1: WARNING, 1.5: BAD}, words={-1: ("never ran", OFF)}, none="no schedule",
    )  # fmt: skip
    return now(looks, *queries)


def error_panel(queries: list[Query], width: int) -> stat.Panel:
    """The newest failure."""
    text = (
        "When its newest error log was stored. A click opens what it says, at the exporter's "
        "address of this machine (EXPORTER_PORT)."
    )
    words: Words = {0: ("none", GOOD)}
    looks = Looks("Newest error", text, "dateTimeFromNow", width, words=words, link=ERRORS)
    return now(looks, *queries)


def complete_panel(queries: list[Query], width: int) -> stat.Panel:
    """Whether the layer is complete."""
    text = (
        "Whether every check of the current version held: the API's totals at bronze, the "
        "accounting of the rows after it."
    )
    words: Words = {1: ("complete", GOOD), 0: ("incomplete", BAD), -1: ("never ran", OFF)}
    return now(Looks("Completeness", text, "none", width, words=words), *queries)


def rejected_panel(queries: list[Query], width: int) -> stat.Panel:
    """The share of rejects."""
    text = (
        "Share of the rows that could not be used; from 1% on, the alert RejectedRows fires. "
        f"silver/data/rejected/ has each with its reason. {RUNBOOK} 'Rejected rows'."
    )
    steps = {0: GOOD, 0.0001: WARNING, 0.01: BAD}
    return now(Looks("Rejected rows", text, "percentunit", width, steps=steps), *queries)


def drift_panel(queries: list[Query], width: int) -> stat.Panel:
    """Whether the data changed."""
    text = (
        "Changes of the data that were noted when the current version was published; what they are "
        "stands in its manifest, and in docs/reliability.md, 'When the data change'."
    )
    steps: Steps = {0: GOOD, 1: WARNING}
    return now(Looks("Noted changes", text, "none", width, steps=steps), *queries)
