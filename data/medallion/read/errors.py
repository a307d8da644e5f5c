"""What goes wrong for a reader, besides the lake's own errors."""

from __future__ import annotations

from ..errors import MedallionError


class ReadError(MedallionError):
    """Base of what a reader asked for and cannot have."""


class DatasetUnknown(ReadError):
    """The project has no dataset of that name, or none that is a table."""

    dataset: str
    known: list[str]

    def __str__(self) -> str:
        """The sentence, with those that there are."""
        return f"There is no {self.dataset!r} to read; choose one of {', '.join(self.known)}."


class ColumnUnknown(ReadError):
    """A table has no such column."""

    dataset: str
    column: str
    known: list[str]

    def __str__(self) -> str:
        """The sentence, with the columns that it has."""
        known = ", ".join(self.known)
        return f"{self.dataset} has no column {self.column!r}; choose some of {known}."


class ValueOfOtherType(ReadError):
    """A filter compares a column with what it cannot hold."""

    column: str
    type: str
    problem: str
    says = "{column} cannot be compared with that ({problem}); give values of its type, {type}."


class HalfPublished(ReadError):
    """What stands beside silver is of another version than silver is."""

    object: str
    snapshot: str
    expected: str
    says = (
        "{object} is of the version {snapshot}, and silver of {expected}: a run ended half-way. "
        "Run the pipeline again."
    )
