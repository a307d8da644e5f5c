"""The flows of this project: folders of the Mage project whose `flow.py` defines `FLOW`."""

from __future__ import annotations

import importlib

from .errors import FlowMissing, FlowUnusable
from .flow import Flow, can_be
from .host.envfile import CHECKOUT, PROJECT


def names() -> list[str]:
    """The names of the project's flows, sorted."""
    return sorted(filter(can_be, (file.parent.name for file in PROJECT.glob("*/flow.py"))))


def load(name: str) -> Flow:
    """A flow of the project, by its name.

    Raises:
        FlowMissing: there is no flow with this name.
        FlowUnusable: its declaration is invalid, or its module cannot be imported.
    """
    if name not in names():
        raise FlowMissing(name, names(), CHECKOUT and can_be(name))
    try:
        module = importlib.import_module(f"{PROJECT.name}.{name}.flow")
    except Exception as error:
        problem = f"its flow.py cannot be imported ({type(error).__name__}: {error})"
        raise FlowUnusable(name, problem, "mend it") from error
    flow = getattr(module, "FLOW", None)
    if not isinstance(flow, Flow):
        raise FlowUnusable(name, "its flow.py makes no FLOW", "declare it")
    if flow.name != name:
        problem = f"its FLOW is called {flow.name!r}, otherwise than its folder"
        raise FlowUnusable(name, problem, "give both one name")
    flow.check()
    return flow


def load_all() -> list[Flow]:
    """All flows of the project; FlowUnusable if one is invalid, or two have one dataset."""
    flows = [load(name) for name in names()]
    owner: dict[str, str] = {}
    for flow in flows:
        for mine in (*(dataset.path for dataset in flow.datasets), *flow.blocks.names):
            if (other := owner.setdefault(mine, flow.name)) != flow.name:
                raise FlowUnusable(flow.name, f"{mine} is the flow {other}'s", "name another")
    return flows
