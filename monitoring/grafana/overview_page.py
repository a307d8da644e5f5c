"""Is everything well? Of all datasets, or of some that are chosen."""

from __future__ import annotations

from functools import partial

from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.models.dashboard import Dashboard

from . import layer_panels as panels
from .bricks import (
    BAD,
    FIRING,
    GOOD,
    WARNING,
    Looks,
    Query,
    Rows,
    Steps,
    datasets,
    listed,
    now,
    over_time,
    page,
    states,
)
from .layer_panels import NAME, STATES, each, of

WAY = (
    Query(of("run_output_rows", "bronze"), f"{NAME} received (bronze)"),
    Query(of("run_output_rows", "silver"), f"{NAME} cleaned (silver)"),
    Query(of("run_input_rows", "gold"), f"{NAME} grouped (gold)"),
)
LABELS = "alertname, dataset, layer, severity, owner"


def overview() -> Dashboard:
    """The page that Grafana opens with."""
    rows: Rows = {
        "Is everything well?": [
            _store(4),
            panels.state_panel(each(panels.state), 8, panels.PAGE),
            _alerts(4),
            panels.complete_panel(each(panels.complete), 8),
            panels.success_panel(each(panels.success), 8),
            panels.late_panel(each(panels.late), 8),
            panels.error_panel(each(panels.error), 8),
        ],
        "What the newest run made of the data": [
            now(Looks("Rows through the layers", _ROWS, "locale", 8), *WAY),
            panels.rejected_panel(each(panels.rejected), 6),
            _duplicates(5),
            panels.drift_panel(each(partial(of, "drift_flags")), 5),
        ],
        "The last days": [
            _firing(10),
            states(
                Looks("State over time", _STATES, "none", 14, 7, words=STATES), *each(panels.state)
            ),
            over_time(Looks("Rows over time", _ROWS, "locale", 12, 8), *WAY),
            over_time(
                Looks("Duration of each step", _SECONDS, "s", 12, 8),
                *each(partial(of, "run_duration_seconds")),
            ),
        ],
    }
    text = "Whether the lake is well."
    return page("overview", "Lake: overview", text, rows, [datasets(many=True)])


_ROWS = (
    "Records that the API gave, that were cleaned, and that gold was made from. What is received "
    "and not cleaned was rejected or a duplicate. A fall by a tenth within a day fires the alert "
    "VolumeFall. What to do: docs/monitoring.md, 'Volume fall'."
)
_STATES = "Red: failed. Orange: unreadable. Grey: it never ran. A gap: the exporter did not answer."
_SECONDS = (
    "How long each layer's step took. More than a minute and three times the week's median fires "
    "the alert SlowRun. What to do: docs/monitoring.md, 'Slow run'."
)


def _store(width: int) -> stat.Panel:
    text = (
        "Whether the object store answered at the last look. While it is down, all else here is as "
        "it was last known. What to do: docs/monitoring.md, 'Store down' and 'Exporter down'."
    )
    words = {1: ("answers", GOOD), 0: ("down", BAD)}
    looks = Looks("Store", text, "none", width, words=words, none="the exporter does not answer")
    return now(looks, Query("lake_up", "store"))


def _alerts(width: int) -> stat.Panel:
    text = "Alerts that fire now; the list below names them."
    looks = Looks("Alerts", text, "none", width, steps={0: GOOD, 1: BAD}, words={0: ("none", GOOD)})
    return now(looks, Query(f"count({FIRING}) or vector(0)", "alerts"))


def _duplicates(width: int) -> stat.Panel:
    text = "Rows that were there already: the API gave the same record twice. They are kept once."
    steps: Steps = {0: GOOD, 1: WARNING}
    queries = each(partial(of, "run_duplicate_rows"))
    return now(Looks("Duplicates", text, "locale", width, steps=steps), *queries)


def _firing(width: int) -> table.Panel:
    text = (
        "Alerts that fire now, and who answers for them. docs/monitoring.md has a section on each, "
        "under its name."
    )
    looks = Looks("Alerts that fire", text, "none", width, 7, none="No alert fires")
    query = Query(f"max by({LABELS}) ({FIRING})", "")
    return listed(looks, query, hidden=["Time", "Value"])
