"""The errors of readers, besides the lake's own errors."""

# ruff: noqa: D101 - the message of an error is its docstring

from __future__ import annotations

from ..errors import MedallionError


class ReadError(MedallionError):
    """Base of the errors of readers."""


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


class DuckDBMissing(ReadError):
    says = "SQL needs DuckDB, which is not installed here: call pip install duckdb."


class LibraryMissing(ReadError):
    format: str
    library: str
    says = "{format} needs {library}, which is not installed here; make export installs it."


class FormatUnknown(ReadError):
    format: str
    known: list[str]
    says = "{format!r} is no format of this command; choose one of {known}."


class ExportExists(ReadError):
    file: str
    says = "{file} is there already; name another by TO=, or replace it with OVERWRITE=1."


class ExportFailed(ReadError):
    file: str
    reason: str
    says = (
        "{file} cannot be written ({reason}), and nothing of it is left; free some space, or name "
        "another file by TO=."
    )


class NoCoordinates(ReadError):
    dataset: str
    says = "{dataset} has no coordinates, which GeoJSON needs; export it in another format."


class SheetTooSmall(ReadError):
    dataset: str
    rows: int
    says = (
        "{dataset} has {rows:,} rows, and a sheet of Excel holds 1,048,576 with the header; "
        "export it in another format, such as csv."
    )


class PromptMissing(ReadError):
    says = "The prompt needs prompt_toolkit, which is not installed here; make sql installs it."


class QueryRefused(ReadError):
    problem: str
    remedy: str  # where there is one, behind a semicolon
    says = "DuckDB refused the query: {problem}{remedy}"


class ResultsTooMany(ReadError):
    results: int
    format: str
    says = (
        "{format} is the format of one result, and these are {results} queries; give one query, "
        "or FORMAT=table."
    )


class NoTextFormat(ReadError):
    format: str
    says = "{format} is no text for a terminal; send it to a file: make -s sql ... > file.{format}"


class OutputFailed(ReadError):
    problem: str
    says = "The output cannot be written ({problem}); free some space there, and ask again."
