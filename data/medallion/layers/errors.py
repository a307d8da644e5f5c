"""The errors of the layers."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from typing import Any

from ..errors import MedallionError
from ..rules import RULES


class AccountingBroken(MedallionError):
    equation: str
    left: int
    right: int
    says = (
        "Rows do not add up: {equation} should hold, but {left} is not {right}; the previous "
        "version stays published. Please report this as a bug."
    )


class DriftStopped(MedallionError):
    """The data drifted, or do not fit the table, and a rule of the settings stops the run."""

    drifts: list[dict[str, Any]]
    prefix: str
    """The prefix of the flow's settings."""

    def __str__(self) -> str:
        """The message, with the changes and the rules that stopped the run."""
        changes = "; ".join(drift["what"] for drift in self.drifts)
        rules = list(dict.fromkeys(drift["rule"] for drift in self.drifts))
        has_limit = any("PERCENT" in RULES[rule] for rule in rules)
        limit = f", or raise {self.prefix}LARGEST_FALL_PERCENT" if has_limit else ""
        return (
            f"The data are not as expected ({changes}); what is published stays. If that is "
            f"right, run once with {self.prefix}STOP_ON without {', '.join(rules)}{limit}."
        )


class MeasureTooLarge(MedallionError):
    measure: str
    column: str
    type: str
    says = (
        "The measure {measure} is more than {type} holds; the previous version stays published. "
        "Declare the column {column} as float64."
    )


class CheckFailed(MedallionError, AssertionError):
    """A block's output is wrong. Mage expects an AssertionError from the tests of a block."""

    what: str
    expected: Any
    found: Any
    says = "{what} is {found} where {expected} was expected."
