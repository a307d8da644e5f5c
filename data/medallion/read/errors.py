"""The errors of readers, besides the lake's own errors."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from ..errors import MedallionError


class ReadError(MedallionError):
    """Base of the errors of readers."""


class Refused(ReadError):
    """What was asked for cannot be done, for a reason that only a person needs to know."""

    sentence: str  # without its full stop
    says = "{sentence}."


class DatasetUnknown(ReadError):
    dataset: str
    known: list[str]
    says = "There is no {dataset!r} to read; choose one of {known}."


class ColumnUnknown(ReadError):
    dataset: str
    column: str
    known: list[str]
    says = "{dataset} has no column {column!r}; choose some of {known}."


class ValueOfOtherType(ReadError):
    column: str
    type: str
    problem: str
    says = "{column} cannot be compared with that ({problem}); give values of its type, {type}."


class TimeUnclear(ReadError):
    moment: str
    says = (
        "{moment!r} is no moment; give a day (2026-11-18), a time with its zone "
        "(2026-11-18T12:00:00Z) or a run (20261118T120000Z-4f2a9c)."
    )


class NoVersionThen(ReadError):
    dataset: str
    moment: str
    begins: str  # where the log begins, such as "it is empty"
    says = (
        "The log of {dataset} knows no version of {moment}: {begins}, and holds what was "
        "published, by the run that published it; choose one that read.versions or make versions "
        "lists."
    )


class SnapshotExpired(ReadError):
    dataset: str
    version: int
    snapshot: str
    oldest: str
    says = (
        "Version {version} of {dataset} cannot be rebuilt: bronze does not retain its snapshot "
        "{snapshot} any more (the oldest is {oldest}); choose a later version, and raise the "
        "flow's HISTORY_VERSIONS to keep more from now on."
    )
