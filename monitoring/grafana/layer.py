"""One layer: is it well, what went in and out, how long did it take, what does it hold?"""

from __future__ import annotations

from functools import partial

from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableOption

from data.medallion.lake.datasets import LAYERS

from . import lake
from .bricks import BAD, GOOD, Looks, Query, Rows, over_time, page
from .lake import HERE, here, of

IN, OUT = of("run_input_rows", HERE), of("run_output_rows", HERE)
SECONDS = of("run_duration_seconds", HERE)


def layer() -> Dashboard:
    """A page with a choice of the layer."""
    rows: Rows = {
        "Is it well?": [
            lake.state_panel(here(lake.state), 4),
            lake.success_panel(here(lake.success), 4),
            lake.late_panel(here(lake.late), 4),
            lake.error_panel(here(lake.error), 4),
            lake.complete_panel(here(lake.complete), 4),
            lake.drift_panel(here(partial(of, "drift_flags")), 4),
        ],
        "Rows": [
            over_time(
                Looks("In and out", _ROWS, "locale", 12, 8), Query(IN, "in"), Query(OUT, "out")
            ),
            over_time(
                Looks("Not carried on", _LEFT, "locale", 12, 8),
                Query(of("run_rejected_rows", HERE), "rejected"),
                Query(of("run_duplicate_rows", HERE), "duplicates"),
            ),
        ],
        "Runs": [
            over_time(
                Looks("Against the last day", _FALL, "percentunit", 12, 8, {0: BAD, 0.9: GOOD}),
                Query(f"{OUT} / clamp_min(max_over_time({OUT}[25h]), 1)", "share"),
            ),
            over_time(
                Looks("Duration", _SECONDS, "s", 12, 8),
                Query(SECONDS, "step"),
                Query(f"3 * quantile_over_time(0.5, {SECONDS}[7d])", "three usual ones"),
            ),
        ],
        "What it holds": [
            over_time(
                Looks("Objects", "Objects under data/, history included.", "locale", 8, 8),
                Query(of("layer_objects", HERE), "objects"),
            ),
            over_time(
                Looks("Size", "Bytes under data/, history included.", "bytes", 8, 8),
                Query(of("layer_size_bytes", HERE), "size"),
            ),
            over_time(
                Looks("Error logs", _LOGS, "locale", 8, 8),
                Query(of("layer_error_logs", HERE), "error logs"),
            ),
        ],
    }
    return page("layer", "Breweries: a layer", "One layer of the lake.", rows, [_choice()])


_ROWS = (
    "Rows that the current version was made from, and those that it has. Gold's are counts: one "
    "for each location and type."
)
_LEFT = (
    "Rows that went in and did not come out: what could not be used, and what was there already. "
    "What to do: docs/monitoring.md, 'Rejected rows'."
)
_FALL = (
    "Rows of the current version against the most of the last 25 h. Below 90% the alert VolumeFall "
    "fires. What to do: docs/monitoring.md, 'Volume fall'."
)
_SECONDS = (
    "How long the step took. Above three times the week's median, and above a minute, the "
    "alert SlowRun fires. What to do: docs/monitoring.md, 'Slow run'."
)
_LOGS = "Error logs that are kept under logs/. Where the line rises, a block failed."


def _choice() -> CustomVariable:
    first, *rest = (VariableOption(text=name, value=name) for name in LAYERS)
    first.selected = True
    choice = (
        CustomVariable("layer").label("Layer").values(",".join(LAYERS)).allow_custom_value(False)
    )
    return choice.options([first, *rest]).current(first)
