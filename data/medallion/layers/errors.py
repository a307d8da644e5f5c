"""What breaks the promise of a layer."""

from __future__ import annotations

from typing import Any

from ..errors import MedallionError


class AccountingBroken(MedallionError):
    """Rows appeared or vanished between two layers."""

    equation: str
    left: int
    right: int
    says = (
        "Rows do not add up: {equation} should hold, but {left} is not {right}; the version "
        "before stays published. Please report this as a bug."
    )


class DriftStopped(MedallionError):
    """The data changed against the version before in a way that a rule of the settings stops."""

    drifts: list[dict[str, Any]]
    prefix: str
    """How the names of the flow's settings begin."""

    def __str__(self) -> str:
        """The sentence, with what changed and by which rules it stops."""
        said = "; ".join(drift["what"] for drift in self.drifts)
        rules = list(dict.fromkeys(drift["rule"] for drift in self.drifts))
        limit = f", or raise {self.prefix}LARGEST_FALL_PERCENT" if "row_fall" in rules else ""
        return (
            f"The data changed too much ({said}); the version before stays published. If that is "
            f"right, run once with {self.prefix}STOP_ON without {', '.join(rules)}{limit}."
        )


class MeasureTooLarge(MedallionError):
    """A measure of gold is more than its type holds."""

    measure: str
    column: str
    type: str
    says = (
        "The measure {measure} is more than {type} holds; the version before stays published. "
        "Declare the column {column} as float64."
    )


class CheckFailed(MedallionError, AssertionError):
    """A block's output is not what it should be (Mage counts AssertionErrors of its tests)."""

    what: str
    expected: Any
    found: Any
    says = "{what} is {found} where {expected} was expected."
