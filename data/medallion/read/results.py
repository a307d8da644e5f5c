"""Prints the result of a SQL statement: as a table, or as data in one of the usual formats.

Data go to stdout alone and whole, a few rows at a time. CSV is RFC 4180 in UTF-8, without a byte
order mark: most programs would take that for a part of the first column's name.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from itertools import chain

import duckdb
from duckdb import DuckDBPyConnection, ExpectedResultType, Statement, StatementType

from ..host.command import say
from ..host.workspace import workspace
from .errors import Refused

COPIED = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY", "parquet": "FORMAT parquet"}
"""The formats that DuckDB's own COPY writes."""
FORMATS = ("table", *COPIED, "markdown")
FLOATS = ("FLOAT", "DOUBLE")
ROWS = 1_000  # of a table in a terminal, at most
UNLIMITED = 1 << 30


def has_result(statement: Statement) -> bool:
    """Whether a statement returns rows."""
    rows = statement.expected_result_type == [ExpectedResultType.QUERY_RESULT]
    return rows or statement.type == StatementType.MULTI  # a PIVOT


def show(database: DuckDBPyConnection, statement: Statement, form: str) -> None:
    """Run a statement, and print its result in one of `FORMATS`.

    In a terminal, a table is as wide as that; else it has all rows and columns.

    Raises:
        Refused: stdout cannot be written, such as a full disk.
        BrokenPipeError: nobody reads stdout any more.
    """
    if not has_result(statement):
        database.execute(statement.query)
        if form == "table":
            say("ok")
        return
    query = _bare(statement)
    found = database.sql(query)
    if form != "table":
        rows = f"({query}\n)"
        if statement.type != StatementType.SELECT:  # no query takes it in, such as EXPLAIN
            database.register("_result", found.to_arrow_table())
            rows = "_result"
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        _write(database, rows, types, form)
    elif sys.stdout.isatty():
        found.show(max_width=shutil.get_terminal_size().columns, max_rows=ROWS)
    else:
        found.show(max_width=UNLIMITED, max_rows=UNLIMITED, max_col_width=UNLIMITED)


def _bare(statement: Statement) -> str:
    """A statement without its semicolon, and the comments behind that."""
    text = statement.query.encode()
    ends = [at for at, _ in duckdb.tokenize(statement.query) if text[at : at + 1] == b";"]
    return text[: ends[-1]].decode() if ends else statement.query


def _write(database: DuckDBPyConnection, rows: str, types: dict[str, str], form: str) -> None:
    """Write the rows of a table or subquery, whose columns have these types, to stdout."""
    if form == "markdown":
        cells = database.execute(f"FROM {rows} SELECT COLUMNS(*)::VARCHAR")
        lines: Iterator[tuple[str | None, ...]] = iter(cells.fetchone, None)
        for line in chain([[*types], ["---"] * len(types)], lines):
            texts = (" ".join((cell or "").replace("|", "\\|").split()) for cell in line)
            print(f"| {' | '.join(texts)} |")
        return
    names = ['"' + name.replace('"', '""') + '"' for name, type in types.items() if type in FLOATS]
    # JSON has no infinity.
    finite = ", ".join(f"CASE WHEN isfinite({one}) THEN {one} END AS {one}" for one in names)
    columns = f"* REPLACE ({finite})" if finite and form == "json" else "*"
    with workspace() as folder:
        file = folder / "result"
        database.execute(f"COPY (FROM {rows} SELECT {columns}) TO '{file}' ({COPIED[form]})")
        try:
            # A buffer of its own, because that of sys.stdout would fail again when Python ends.
            with file.open("rb") as found, os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
                shutil.copyfileobj(found, out)
        except BrokenPipeError:
            raise
        except OSError as error:
            problem = error.strerror or error
            raise Refused(
                f"The output cannot be written ({problem}); free some space there, and ask again"
            ) from None
