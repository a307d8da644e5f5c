"""The errors of readers, besides the lake's own errors."""

from __future__ import annotations

from ..errors import MedallionError


class ReadError(MedallionError):
    """Base of the errors of readers."""


class DatasetUnknown(ReadError):
    """The project has no table with this name."""

    dataset: str
    known: list[str]
    says = "There is no {dataset!r} to read; choose one of {known}."


class ColumnUnknown(ReadError):
    """A table has no column with this name."""

    dataset: str
    column: str
    known: list[str]
    says = "{dataset} has no column {column!r}; choose some of {known}."


class ValueOfOtherType(ReadError):
    """A filter compares a column with a value that its type cannot hold."""

    column: str
    type: str
    problem: str
    says = "{column} cannot be compared with that ({problem}); give values of its type, {type}."


class HalfPublished(ReadError):
    """Silver and the object beside it are of different versions."""

    object: str
    snapshot: str
    expected: str
    says = (
        "{object} is of the version {snapshot}, and silver of {expected}: a run ended half-way. "
        "Run the pipeline again."
    )


class TimeUnclear(ReadError):
    """A moment is neither a day, nor a time with its zone, nor a run."""

    moment: str
    says = (
        "{moment!r} is no moment; give a day (2026-11-18), a time with its zone "
        "(2026-11-18T12:00:00Z) or a run (20261118T120000Z-4f2a9c)."
    )


class NoVersionThen(ReadError):
    """Bronze has no snapshot of a moment: the moment is too early, or the snapshot has expired."""

    moment: str
    oldest: str
    says = (
        "Bronze retains no snapshot of {moment}: the oldest is of the run {oldest}; choose a later "
        "moment (make versions lists them), and raise the flow's HISTORY_VERSIONS to keep more "
        "from now on."
    )

    def __str__(self) -> str:
        """The message; another one if bronze has no snapshots at all."""
        none = f"Bronze has no snapshot yet, of {self.moment} or later; run the pipeline first."
        return super().__str__() if self.oldest else none


class HistoryThinned(ReadError):
    """The version of a moment is unknown, because a snapshot has been removed."""

    moment: str
    removed: str
    later: str
    says = (
        "The version of {moment} is unknown: of the snapshots before {later}, that of {removed} "
        "was removed; choose the run of another snapshot (make versions lists them)."
    )


class DuckDBMissing(ReadError):
    """DuckDB is not installed."""

    says = "SQL needs DuckDB, which is not installed here; make sql installs it."


class QueryRefused(ReadError):
    """DuckDB refuses a query."""

    problem: str
    says = "DuckDB refused the query ({problem}); SHOW ALL TABLES lists the tables and columns."
