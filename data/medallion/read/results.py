"""Prints the result of a SQL statement: as a table, or as data in one of the usual formats.

Data go to stdout alone and whole, a few rows at a time. CSV is RFC 4180 in UTF-8, without a byte
order mark: most programs would take that for a part of the first column's name.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from ..host.command import say
from .errors import OutputFailed

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Statement

TABLE, PARQUET, MARKDOWN = "table", "parquet", "markdown"
COPIED = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY", PARQUET: "FORMAT parquet"}
"""The formats that DuckDB's own COPY writes."""
FORMATS = (TABLE, *COPIED, MARKDOWN)
FLOATS = ("FLOAT", "DOUBLE")
ROWS = 1_000  # of a table in a terminal, at most
UNLIMITED = 1 << 30


def has_result(statement: Statement) -> bool:
    """Whether a statement returns rows."""
    from duckdb import ExpectedResultType, StatementType

    rows = statement.expected_result_type == [ExpectedResultType.QUERY_RESULT]
    return rows or statement.type == StatementType.MULTI  # a PIVOT


def show(database: DuckDBPyConnection, statement: Statement) -> None:
    """Print a result as a table: in a terminal as wide as that, else with all rows and columns."""
    if not has_result(statement):
        database.execute(statement.query)
        say("ok")
    elif sys.stdout.isatty():
        found = database.sql(_bare(statement))
        found.show(max_width=shutil.get_terminal_size().columns, max_rows=ROWS)
    else:
        found, every = database.sql(_bare(statement)), UNLIMITED
        found.show(max_width=every, max_rows=every, max_col_width=every)


def write(database: DuckDBPyConnection, statement: Statement, form: str) -> None:
    """Write a result to stdout in a format other than a table.

    Raises:
        OutputFailed: stdout cannot be written, such as a full disk.
        BrokenPipeError: nobody reads stdout any more.
    """
    import duckdb

    if not has_result(statement):
        database.execute(statement.query)
        return
    rows = f"FROM ({_bare(statement)}\n)"
    if statement.type != duckdb.StatementType.SELECT:  # no query takes it in, such as EXPLAIN
        database.register("_result", database.sql(_bare(statement)).to_arrow_table())
        rows = "FROM _result"
    if form == MARKDOWN:
        _write_markdown(database, rows)
        return
    finite = _finite(database, rows) if form == "json" else ""
    columns = f"* REPLACE ({finite})" if finite else "*"
    with _path_to_stdout() as path:
        database.execute(f"COPY (SELECT {columns} {rows}) TO '{path}' ({COPIED[form]})")


def _bare(statement: Statement) -> str:
    """A statement without its semicolon, and the comments behind that."""
    import duckdb

    text = statement.query.encode()
    ends = [at for at, _ in duckdb.tokenize(statement.query) if text[at : at + 1] == b";"]
    return text[: ends[-1]].decode() if ends else statement.query


def _finite(database: DuckDBPyConnection, rows: str) -> str:
    """The columns of numbers, with null for those that JSON does not have, such as infinity."""
    found = database.sql(rows)
    typed = zip(found.columns, map(str, found.types), strict=True)
    names = ['"' + name.replace('"', '""') + '"' for name, type in typed if type in FLOATS]
    return ", ".join(f"CASE WHEN isfinite({one}) THEN {one} END AS {one}" for one in names)


def _write_markdown(database: DuckDBPyConnection, rows: str) -> None:
    """Write a table of Markdown."""
    found = database.execute(f"SELECT COLUMNS(*)::VARCHAR {rows}")
    names = [name for name, *_ in found.description or ()]
    lines: Iterator[tuple[str | None, ...]] = iter(found.fetchone, None)
    for line in chain([names, ["---"] * len(names)], lines):
        cells = (" ".join((cell or "").replace("|", "\\|").split()) for cell in line)
        print(f"| {' | '.join(cells)} |")


@contextmanager
def _path_to_stdout() -> Iterator[str]:
    """A path, for DuckDB, whose content goes to stdout; a file there may have content already."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as beside:
        copied = beside.submit(_copy, reading)
        try:
            yield f"/dev/fd/{writing}"
        finally:
            os.close(writing)
            copied.result()


def _copy(reading: int) -> None:
    try:
        # A buffer of its own, because that of sys.stdout would fail again when Python ends.
        with os.fdopen(reading, "rb") as pipe, os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
            shutil.copyfileobj(pipe, out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputFailed(error.strerror or str(error)) from None
