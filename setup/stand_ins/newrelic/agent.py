"""The two names of New Relic's agent that Mage touches."""

from collections.abc import Callable
from typing import TypeVar

Work = TypeVar("Work")


def background_task(**_: object) -> Callable[[Work], Work]:
    """Leave what is decorated as it is."""
    return lambda work: work


def initialize(*_: object) -> None:
    """Refuse, in a sentence: Mage prints it, and goes on without."""
    raise RuntimeError("newrelic is not installed; ENABLE_NEW_RELIC needs it.")
