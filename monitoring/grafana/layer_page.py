"""One layer of one dataset: is it well, what went in and out, how long did it take?"""

from __future__ import annotations

from functools import partial

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableOption

from data.medallion.lake.datasets import LAYERS

from . import layer_panels as panels
from .bricks import BAD, GOOD, Looks, Query, Rows, datasets, over_time, page
from .layer_panels import HERE, here, of

IN, OUT = of("run_input_rows", HERE), of("run_output_rows", HERE)
SECONDS = of("run_duration_seconds", HERE)


def layer() -> Dashboard:
    """A page with a choice of the dataset and the layer."""
    rows: Rows = {
        "Is it well?": [
            panels.state_panel(here(panels.state), 4),
            panels.success_panel(here(panels.success), 4),
            panels.late_panel(here(panels.late), 4),
            panels.error_panel(here(panels.error), 4),
            panels.complete_panel(here(panels.complete), 4),
            panels.drift_panel(here(partial(of, "drift_flags")), 4),
        ],
        "Rows": [
            _line("In and out", _ROWS, "locale", 12, Query(IN, "in"), Query(OUT, "out")),
            _line(
                "Not carried on", _LEFT, "locale", 12,
                Query(of("run_rejected_rows", HERE), "rejected"),
                Query(of("run_duplicate_rows", HERE), "duplicates"),
            ),
        ],
        "Runs": [_against_the_last_day(), _duration()],
        "What it holds": [
            _line(
                "Objects", "Its objects, history included.", "locale", 8,
                Query(of("layer_objects", HERE), "objects"),
            ),
            _line(
                "Size", "Their bytes, history included.", "bytes", 8,
                Query(of("layer_size_bytes", HERE), "size"),
            ),
            _line(
                "Error logs", _LOGS, "locale", 8, Query(of("layer_error_logs", HERE), "error logs")
            ),
        ],
    }  # fmt: skip
    text = "One layer of one dataset."
    return page("layer", "Lake: a layer", text, rows, [datasets(many=False), _choice()])


def _line(title: str, text: str, unit: str, width: int, *queries: Query) -> timeseries.Panel:
    return over_time(Looks(title, text, unit, width, 8), *queries)


def _against_the_last_day() -> timeseries.Panel:
    looks = Looks("Against the last day", _FALL, "percentunit", 12, 8, {0: BAD, 0.9: GOOD})
    return over_time(looks, Query(f"{OUT} / clamp_min(max_over_time({OUT}[25h]), 1)", "share"))


def _duration() -> timeseries.Panel:
    usual = f"3 * quantile_over_time(0.5, {SECONDS}[7d])"
    return _line(
        "Duration", _SECONDS, "s", 12, Query(SECONDS, "step"), Query(usual, "three usual ones")
    )


_ROWS = (
    "Rows that the current version was made from, and those that it has. Gold's are groups of "
    "silver's rows."
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
