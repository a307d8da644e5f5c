"""The lake in SQL, by DuckDB. A table is fetched when a statement first names it.

Data go to stdout alone and whole, a few rows at a time. CSV is RFC 4180 in UTF-8, without a byte
order mark: most programs would take that for a part of the first column's name.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from itertools import chain
from threading import Thread
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from ..dictionary import columns_of
from ..flow import Flow
from ..host.command import say
from ..host.workspace import workspace
from ..lake.lake import Lake
from .errors import Refused
from .past import Moment, Past

COPIED = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY", "parquet": "FORMAT parquet"}
"""The formats that DuckDB's own COPY writes."""
FORMATS = ("table", *COPIED, "markdown")
ROWS = 1_000  # of a table in a terminal, at most
UNLIMITED = 1 << 30

AS_JSON = r"""coalesce(TRY_CAST(record AS JSON), TRY_CAST(
    regexp_replace(record, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '�', 'g') AS JSON
  ), to_json(record))"""
"""A record as JSON. DuckDB refuses half a surrogate pair, which JSON permits."""

T = TypeVar("T")


class Database(ExitStack):
    """The lake of some flows as a database in memory. Changes in it do not change the lake.

    The tables are `<layer>.<dataset>`. The main flow's tables are also `bronze`, `silver`,
    `rejected` and `gold`. They contain the version of a moment (`at` of `read.table`), and are
    empty until a statement names them.
    """

    def __init__(self, lake: Lake, flows: Sequence[Flow], main: Flow, at: Moment | None) -> None:
        super().__init__()
        self._duckdb = self.enter_context(duckdb.connect())
        # Else DuckDB would look for unknown table names among the variables of this code.
        self._duckdb.execute("SET python_enable_replacements = false")
        self._empty: dict[tuple[str, str], Callable[[], pa.Table]] = {}
        self._views: dict[str, str] = {}
        for flow in flows:
            past = self.enter_context(Past(lake, flow))
            for path, columns in columns_of(flow).items():
                layer, _, name = path.partition("/")
                schema = pa.schema([column.declared for column in columns])
                # An empty array would make pyarrow import pandas, which takes half a second.
                put(self._duckdb, layer, name, pa.Table.from_batches([], schema))
                self._empty[layer, name] = partial(past.table, path, at)
                if flow == main and layer not in self._views:
                    self._views[layer] = name
                    self._duckdb.execute(f'CREATE VIEW {layer} AS FROM {layer}."{name}"')

    def answer(self, text: str, form: str) -> None:
        """Run some SQL, and print the result of each statement in one of `FORMATS`.

        An exception by a signal, such as KeyboardInterrupt, ends the query.

        Errors are those of `read.table`, and Refused if DuckDB refuses the SQL, its results are too
        many, or stdout cannot be written.
        """
        try:
            statements = self._duckdb.extract_statements(text)
            many = sum(map(_has_result, statements))
            if many > 1 and form != "table":
                raise Refused(
                    f"{form} is the format of one result, and these are {many} queries; give one "
                    "query, or FORMAT=table"
                )
            for statement in statements:
                self._fetch(statement.query)
                self._do(partial(_show, self._duckdb, statement, form))
        except duckdb.Error as error:
            problem = " ".join(str(error).partition("\n\nLINE")[0].split()).rstrip(".")
            if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
                problem += "; SHOW ALL TABLES lists the tables and columns"
            raise Refused(f"DuckDB refused the query: {problem}") from None

    def words(self) -> list[str]:
        """The names of tables and columns, and SQL's own words."""
        query = """SELECT DISTINCT unnest([table_schema, table_name, column_name])
            FROM information_schema.columns UNION SELECT upper(keyword_name) FROM duckdb_keywords()
            WHERE keyword_category = 'reserved' ORDER BY ALL"""
        return [word for (word,) in self._rows(query)]

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._do(lambda: self._duckdb.execute(query).fetchall())

    def _do(self, work: Callable[[], T]) -> T:
        """Do some work of DuckDB beside the main thread, which alone gets the signals.

        In the main thread, DuckDB would raise a RuntimeError in place of a signal's exception.
        """
        done = Future[T]()

        def doing() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        beside = Thread(target=doing, daemon=True)
        try:
            beside.start()
            return done.result()
        except BaseException:
            while beside.is_alive():
                self._duckdb.interrupt()
                beside.join(0.05)
            raise

    def _fetch(self, text: str) -> None:
        """Fetch the tables that a statement names: `silver.stations`, or a view, or after USE."""
        ((schema,),) = self._rows("SELECT current_schema()")
        words = re.findall(r'(\w+)(?:"?\s*\.\s*"?(?=(\w+)))?', text.lower())
        asked = {(one, other or self._views.get(one, "")) for one, other in words}
        asked |= {(schema, one) for one, _ in words}
        for named in asked & self._empty.keys():
            self._do(partial(put, self._duckdb, *named, self._empty[named]()))
            del self._empty[named]


def put(database: duckdb.DuckDBPyConnection, layer: str, name: str, table: pa.Table) -> None:
    """Put a table into a database, with its comments; a `record` column becomes JSON."""
    json = f" REPLACE ({AS_JSON} AS record)" if "record" in table.column_names else ""
    comment = ", ".join(
        f"{k.decode()} {v.decode()}" for k, v in (table.schema.metadata or {}).items()
    )
    own = f'{layer}."{name}"'
    database.register("arrow", table)
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {layer}")
    database.execute(f"CREATE OR REPLACE TABLE {own} AS SELECT *{json} FROM arrow")  # noqa: S608 - of names of the code
    database.unregister("arrow")
    database.execute(f"COMMENT ON TABLE {own} IS {_quoted(comment)}")
    for field in table.schema:
        about = (field.metadata or {}).get(b"comment", b"").decode()
        database.execute(f'COMMENT ON COLUMN {own}."{field.name}" IS {_quoted(about)}')
        if not field.nullable:
            database.execute(f'ALTER TABLE {own} ALTER COLUMN "{field.name}" SET NOT NULL')


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'" if text else "NULL"


def _has_result(statement: duckdb.Statement) -> bool:
    """Whether a statement returns rows."""
    rows = statement.expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT]
    return rows or statement.type == duckdb.StatementType.MULTI  # a PIVOT


def _show(database: duckdb.DuckDBPyConnection, statement: duckdb.Statement, form: str) -> None:
    """Run a statement and print its result; a table has all rows, or the width of a terminal."""
    if not _has_result(statement):
        database.execute(statement.query)
        if form == "table":
            say("ok")
        return
    query = _bare(statement)
    found = database.sql(query)
    if form != "table":
        rows = f"({query}\n)"
        if statement.type != duckdb.StatementType.SELECT:  # no query takes it in, such as EXPLAIN
            database.register("_result", found.to_arrow_table())
            rows = "_result"
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        _write(database, rows, types, form)
    elif sys.stdout.isatty():
        found.show(max_width=shutil.get_terminal_size().columns, max_rows=ROWS)
    else:
        found.show(max_width=UNLIMITED, max_rows=UNLIMITED, max_col_width=UNLIMITED)


def _bare(statement: duckdb.Statement) -> str:
    """A statement without its semicolon, and the comments behind that."""
    text = statement.query.encode()
    ends = [at for at, _ in duckdb.tokenize(statement.query) if text[at : at + 1] == b";"]
    return text[: ends[-1]].decode() if ends else statement.query


def _write(
    database: duckdb.DuckDBPyConnection, rows: str, types: dict[str, str], form: str
) -> None:
    """Write the rows of a table or subquery, whose columns have these types, to stdout."""
    if form == "markdown":
        cells = database.execute(f"FROM {rows} SELECT COLUMNS(*)::VARCHAR")
        lines: Iterator[tuple[str | None, ...]] = iter(cells.fetchone, None)
        for line in chain([[*types], ["---"] * len(types)], lines):
            texts = (" ".join((cell or "").replace("|", "\\|").split()) for cell in line)
            print(f"| {' | '.join(texts)} |")
        return
    floats = [name for name, type in types.items() if type in ("FLOAT", "DOUBLE")]
    names = ['"' + name.replace('"', '""') + '"' for name in floats]
    # JSON has no infinity.
    finite = ", ".join(f"CASE WHEN isfinite({one}) THEN {one} END AS {one}" for one in names)
    columns = f"* REPLACE ({finite})" if finite and form == "json" else "*"
    with workspace() as folder:
        file = folder / "result"
        database.execute(
            f"COPY (FROM {rows} SELECT {columns}) TO {_quoted(str(file))} ({COPIED[form]})"
        )
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
